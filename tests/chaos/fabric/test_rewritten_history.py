"""A hospital's administrator rewrites the blocks that the own peer keeps; whoever holds another's export finds it.

Runs last of the tests here, on a chain with all that they did to it.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2

from ledger.protocol.block import header_hash
from ledger.verify.errors import VerificationFailed
from ledger.verify.export import export
from ledger.verify.verification import verify
from tests.chaos.fabric.consortium import Consortium, others, text
from tests.contract.world import HOSPITALS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
CORRUPT = HOSPITALS[0]


def exported(consortium: Consortium, hospital: str, file: Path) -> Path:
    export(consortium.door(f"{hospital}.steward"), file)
    return file


def genesis_of(consortium: Consortium) -> str:
    return consortium.network.layout.genesis_digest.read_text().strip()


def test_the_chain_verifies_with_all_that_was_done_to_it(consortium: Consortium, tmp_path: Path) -> None:
    consortium.settled()
    file = exported(consortium, CORRUPT, tmp_path / "ledger.blocks")
    heads = [consortium.door(f"{hospital}.steward").head() for hospital in HOSPITALS]
    report = verify(file, genesis_of(consortium), [(each.height, each.hash.hex()) for each in heads]).report
    print(f"{report.height} blocks, {report.transactions} transactions verified in {report.seconds['total']:.1f} s")


@pytest.mark.parametrize("hashes", ["as they were", "made to fit"])
def test_rewritten_blocks_are_found(consortium: Consortium, tmp_path: Path, hashes: str) -> None:
    written = text()
    consortium.submit(f"{CORRUPT}.steward", "consents:PublishText", written)
    consortium.settled()
    node = consortium.node(CORRUPT)
    chains = consortium.network.layout.folder(node.organisation) / "peer" / "data" / "ledgersData" / "chains" / "chains"
    (file,) = (chains / consortium.network.plan.channel).glob("blockfile_*")
    blocks = [common_pb2.Block.FromString(data) for data in consortium.door(f"{CORRUPT}.steward").blocks()]
    consortium.network.stop([node], "peer")
    kept = shutil.copy(file, tmp_path / "kept")
    try:
        name = written["text"].encode()
        file.write_bytes(rewritten(file.read_bytes(), blocks, name, fitting=hashes == "made to fit"))
        consortium.restart(CORRUPT)
        lying = exported(consortium, CORRUPT, tmp_path / "lying")
    finally:
        consortium.network.stop([node], "peer")
        shutil.copy(kept, file)
        consortium.restart(CORRUPT)
        consortium.called(CORRUPT)
    head = consortium.door(f"{others(CORRUPT)[0]}.steward").head()
    with pytest.raises(VerificationFailed) as found:
        verify(lying, genesis_of(consortium), [(head.height, head.hash.hex())])
    first = next(block.header.number for block in blocks if any(name in data for data in block.data.data))
    assert found.value.block == first
    print(hashes, found.value)
    consortium.settled()


def rewritten(data: bytes, blocks: list[common_pb2.Block], name: bytes, *, fitting: bool) -> bytes:
    """A peer's block file where `name` reads otherwise; `fitting`: with every hash from there on computed anew."""
    other = bytes(reversed(name))
    data = data.replace(name, other)
    previous: tuple[bytes, bytes] | None = None  # the header hash of the block before, as it was and as it is now
    for block in blocks if fitting else []:
        head = block.header
        was = header_hash(head.number, head.previous_hash, head.data_hash)
        if previous is not None:
            head.previous_hash = head.previous_hash.replace(*previous)
        joined = b"".join(block.data.data)
        if name in joined:
            digest = sha256(joined.replace(name, other)).digest()
            data = data.replace(head.data_hash, digest)
            head.data_hash = digest
        previous = was, header_hash(head.number, head.previous_hash, head.data_hash)
        if previous[0] != previous[1]:
            data = data.replace(*previous)
    return data
