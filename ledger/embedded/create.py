"""Founding an embedded ledger: genesis block, peer and orderer identities, TLS."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger.embedded import tls
from ledger.embedded.layout import Layout
from ledger.errors import LedgerError
from ledger.identity import files
from ledger.identity.ca import Authority
from ledger.protocol import genesis
from ledger.protocol.configuration import ORDERER_MSP


def create(
    directory: Path,
    authorities: Mapping[str, Authority],
    hospitals: Sequence[str],
    institutes: Sequence[str],
    channel: str = "covenant",
) -> str:
    """Found a channel in `directory` (empty or absent); returns the genesis block's SHA-256, 64 hex characters.

    `authorities`: MSP id -> Authority, of every organisation named; `OrdererMSP` is made when it is not among them.
    Each hospital gets a peer identity here, the orderer one. The genesis block is written last: a directory without
    it is no ledger, and creating there again starts over.
    Raises LedgerError `ledger.exists`, `ledger.no-authority`, `genesis.organisations`.
    """
    layout = Layout(directory)
    if layout.genesis.exists():
        raise LedgerError("ledger.exists", f"{directory} already holds a ledger")
    if missing := sorted({*hospitals, *institutes} - set(authorities)):
        raise LedgerError("ledger.no-authority", f"no certificate authority given for {', '.join(missing)}")
    orderer = authorities.get(ORDERER_MSP) or Authority.create(ORDERER_MSP, "ca.orderer")
    first = genesis.build(
        channel=channel,
        hospitals=[authorities[name].msp for name in hospitals],
        institutes=[authorities[name].msp for name in institutes],
        orderer=orderer.msp,
        seconds=int(time.time()),
        nonce=os.urandom(24),
    )
    digest = genesis.read(first).digest
    directory.mkdir(parents=True, exist_ok=True)
    for name in hospitals:
        authority = authorities[name]
        lasting = authority.certificate.not_valid_after_utc
        authority.issue(f"peer.{name}", ["peer"], "peer", not_after=lasting).save(layout.peer(name))
    lasting = orderer.certificate.not_valid_after_utc
    orderer.issue("orderer", [], "orderer", not_after=lasting).save(layout.orderer)
    tls.create(layout.tls)
    files.write(layout.genesis_digest, digest.encode() + b"\n")
    draft = layout.genesis.with_suffix(".new")
    draft.write_bytes(first)
    draft.replace(layout.genesis)
    return digest
