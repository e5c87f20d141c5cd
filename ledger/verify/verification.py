"""Verifying a ledger from its export alone: no network, no server, no trust but in the genesis block's digest.

ledger = verify(Path("ledger.blocks"), genesis_sha256, heads=[(17, header_hash)])
ledger.report.proven(), ledger.report.not_proven()
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from ledger.errors import LedgerError
from ledger.protocol import genesis
from ledger.protocol.block import open_block
from ledger.protocol.channel import ChannelConfig
from ledger.verify import framing
from ledger.verify.chain import Chain
from ledger.verify.errors import failed, of
from ledger.verify.ledger import Ledger
from ledger.verify.parallel import sealed, workers_for

CHAINCODE = "covenant"
_HASH = re.compile(r"[0-9a-f]{64}")


def verify(
    path: Path,
    genesis_sha256: str,
    heads: Sequence[tuple[int, str]] = (),
    *,
    chaincode: str = CHAINCODE,
    workers: int | None = None,
) -> Ledger:
    """Check everything in the export `path`, and return the ledger it holds.

    `genesis_sha256`: SHA-256 of the genesis block's bytes, 64 hex characters, from somebody the caller trusts.
    `heads`: numbers of blocks, each with the last one's header hash (64 hex characters), that the caller holds from
    receipts or certificates; each must be in the chain. `workers`: processes for signatures.
    Raises VerificationFailed `verify.*`, with block and transaction; of a ledger that fails, nothing is returned.
    """
    began = time.perf_counter()
    _check_arguments(genesis_sha256, heads)
    with closing(framing.read(path)) as blocks:
        first = next(blocks)
        config = _founding(first, genesis_sha256)
        chain = Chain(config, open_block(first).hash, chaincode)
        count = workers or workers_for(path.stat().st_size)
        with closing(sealed(blocks, config, chaincode, count)) as ready:  # ends the processes, also when a check fails
            for each in ready:
                chain.append(each)
    _check_heads(chain.hashes, heads)
    return chain.close(len(heads), time.perf_counter() - began)


def _founding(first: bytes, genesis_sha256: str) -> ChannelConfig:
    """What the genesis block's bytes `first` say."""
    if sha256(first).hexdigest() != genesis_sha256:
        raise failed(
            "genesis", "the file begins with another genesis block than you named: it is another ledger", block=0
        )
    try:
        return genesis.read(first)
    except LedgerError as error:
        raise of(error, block=0) from error


def _check_arguments(genesis_sha256: str, heads: Sequence[tuple[int, str]]) -> None:
    if not _HASH.fullmatch(genesis_sha256):
        raise failed("genesis-malformed", "the genesis digest is 64 lower-case hex characters (SHA-256)")
    for height, header_hash in heads:
        if height < 1 or not _HASH.fullmatch(header_hash):
            message = "a head is a number of blocks and the last one's header hash, 64 hex characters"
            raise failed("head-malformed", message)


def _check_heads(hashes: Sequence[bytes], heads: Sequence[tuple[int, str]]) -> None:
    for height, header_hash in heads:
        if height > len(hashes):
            raise failed(
                "head-missing",
                f"the file holds {len(hashes)} blocks, but you hold the head of {height}: it was cut short",
                height=height,
            )
        if hashes[height - 1].hex() != header_hash:
            message = "the chain has another block here than the one you hold the head of: it was rewritten"
            raise failed("head-other", message, block=height - 1)
