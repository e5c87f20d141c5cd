"""Where an embedded ledger keeps what, inside its directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from ledger import disk
from ledger.errors import LedgerError
from ledger.protocol.configuration import ORDERER_MSP


@dataclass(frozen=True, slots=True)
class Layout:
    """The files under `directory`; docs/formats/ledger.md describes them."""

    directory: Path

    @property
    def genesis(self) -> Path:
        return self.directory / "genesis.block"

    @property
    def genesis_digest(self) -> Path:
        return self.directory / "genesis.sha256"

    @property
    def database(self) -> Path:
        return self.directory / "ledger.sqlite"

    @property
    def tls(self) -> Path:
        return self.directory / "tls"

    @property
    def identities(self) -> Path:
        return self.directory / "identities"

    @property
    def orderer(self) -> Path:
        return self.identities / ORDERER_MSP / "orderer"

    def peer(self, msp_id: str) -> Path:
        return self.identities / msp_id / "peer"

    def lock(self) -> int:
        """Take the directory for this process; the kernel gives it back when the process ends, however it ends.

        Returns the open lock file's descriptor. Raises LedgerError `ledger.directory-in-use`, `ledger.no-directory`.
        """
        if not self.genesis.exists():
            raise LedgerError("ledger.no-directory", f"{self.directory} holds no ledger: create one first")
        try:
            return disk.hold(self.directory / "lock")
        except BlockingIOError as error:
            reason = f"another process serves {self.directory}: stop it, or use another directory"
            raise LedgerError("ledger.directory-in-use", reason) from error

    def announce(self, host: str, port: int) -> dict[str, Any]:
        """Write address.json, whole or not at all, and return what it says."""
        process = psutil.Process()
        address = {
            "host": host,
            "port": port,
            "tls_ca": str((self.tls / "ca.pem").absolute()),
            "pid": process.pid,
            "pid_started": process.create_time(),
        }
        with disk.replacing(self.directory / "address.json", 0o666) as file:  # who may read it is the caller's umask
            file.write(json.dumps(address).encode())
        return address

    def retract(self) -> None:
        """Take address.json away: nobody serves."""
        (self.directory / "address.json").unlink(missing_ok=True)
