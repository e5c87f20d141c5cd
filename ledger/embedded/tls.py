"""The server's TLS key and certificate: for loopback names alone, with an authority of its own."""

from __future__ import annotations

from pathlib import Path

from ledger.identity import files, tls
from ledger.identity.ca import CA_DAYS, Authority


def create(directory: Path) -> None:
    """Write ca.pem, server.pem and server.key (0600). The authority's own key is not kept."""
    authority = Authority.create("tls", "ca.ledger.localhost")
    tls.issue(authority, "ledger.localhost", ["localhost", "127.0.0.1"], CA_DAYS).save(directory)
    files.write(directory / "ca.pem", authority.pem)
