"""The law of an export: change one byte, anywhere, and it does not verify; cut it anywhere, and a head tells.

200 random flips; COVENANT_SOAK=1 makes it 1,000 in each of several ledgers. The seed is printed, and COVENANT_SEED
repeats it.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random, SystemRandom

import pytest

from ledger.verify import VerificationFailed, verify
from tests.unit.ledger.verify.forge import Forge, small_ledger

SOAK = bool(os.environ.get("COVENANT_SOAK"))
FLIPS = 1000 if SOAK else 200
FEWER = FLIPS // 5  # where a try costs more, or tells less
SEED = int(os.environ.get("COVENANT_SEED", SystemRandom().randrange(2**32)))


@pytest.fixture(scope="module", params=range(3 if SOAK else 1))
def ledger(request: pytest.FixtureRequest) -> Forge:
    return small_ledger(SEED + request.param)


def test_one_changed_byte_anywhere_is_found(ledger: Forge, tmp_path: Path) -> None:
    print(f"COVENANT_SEED={SEED}")
    random, path = Random(ledger.seed), ledger.write(tmp_path / "ledger.blocks")
    data, codes = path.read_bytes(), set()
    for _ in range(FLIPS):
        place, change = random.randrange(len(data)), random.randrange(1, 256)
        path.write_bytes(data[:place] + bytes([data[place] ^ change]) + data[place + 1 :])
        with pytest.raises(VerificationFailed) as found:
            verify(path, ledger.genesis, [(7, ledger.hash.hex())], workers=1)
        assert found.value.code.startswith("verify."), f"byte {place} ^ {change}"
        codes.add(found.value.code)
    print(sorted(codes))


def test_a_byte_changed_by_who_can_seal_blocks_anew_is_found(tmp_path: Path) -> None:
    """The orderer's operator changes a byte inside a transaction, hashes and signs the block again: the seals inside
    tell.
    """
    print(f"COVENANT_SEED={SEED}")
    forge, random, codes = Forge(SEED), Random(SEED), set()
    forge.seal(forge.found())
    forge.seal(forge.publish())
    good, before = forge.record(endorsers=forge.peers), (list(forge.blocks), forge.hash)
    for _ in range(FEWER):
        forge.blocks, forge.hash = list(before[0]), before[1]
        place, change = random.randrange(len(good)), random.randrange(1, 256)
        forge.put([good[:place] + bytes([good[place] ^ change]) + good[place + 1 :]], b"\x00")
        with pytest.raises(VerificationFailed) as found:
            verify(forge.write(tmp_path / "ledger.blocks"), forge.genesis, workers=1)
        assert (found.value.block, found.value.transaction) == (3, 0), f"byte {place} ^ {change}"
        codes.add(found.value.code)
    print(sorted(codes))
    forge.blocks, forge.hash = list(before[0]), before[1]
    forge.put([good], b"\x00")
    verify(forge.write(tmp_path / "ledger.blocks"), forge.genesis)  # unchanged, it is good


def test_each_byte_of_the_frame_and_the_last_blocks_metadata_counts(ledger: Forge, tmp_path: Path) -> None:
    """Where hashes and signatures reach least: the file's own bytes, and what no later block binds."""
    path = ledger.write(tmp_path / "ledger.blocks")
    data = path.read_bytes()
    last = len(data) - 300
    for place in [*range(len(b"covenant.ledger.v1\n") + 4), *range(last, len(data))]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(VerificationFailed):
            verify(path, ledger.genesis, workers=1)


def test_wherever_the_file_is_cut_a_head_tells(ledger: Forge, tmp_path: Path) -> None:
    random, path = Random(ledger.seed), ledger.write(tmp_path / "ledger.blocks")
    data = path.read_bytes()
    for length in [random.randrange(len(data)) for _ in range(FEWER)]:
        path.write_bytes(data[:length])
        with pytest.raises(VerificationFailed):
            verify(path, ledger.genesis, [(7, ledger.hash.hex())], workers=1)


def test_bytes_put_in_anywhere_are_found(ledger: Forge, tmp_path: Path) -> None:
    random, path = Random(ledger.seed), ledger.write(tmp_path / "ledger.blocks")
    data = path.read_bytes()
    for _ in range(FEWER):
        place = random.randrange(len(data) + 1)
        path.write_bytes(data[:place] + random.randbytes(random.randrange(1, 9)) + data[place:])
        with pytest.raises(VerificationFailed):
            verify(path, ledger.genesis, workers=1)
