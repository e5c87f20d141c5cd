"""A real embedded ledger: four hospitals, one institute, its own process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledger import gateway
from ledger.embedded.create import create
from ledger.embedded.process import Process
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity

HOSPITALS = ["AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP"]


@dataclass
class Server:
    """A directory with a founded channel, and the process that serves it, when it runs."""

    directory: Path
    authorities: dict[str, Authority]
    genesis: str
    identities: dict[str, Identity]
    process: Process | None = None

    def start(self, port: int = 0) -> Process:
        self.process = Process.start(self.directory, port)
        return self.process

    def connect(self, who: str = "steward") -> gateway.Gateway:
        assert self.process is not None
        return gateway.connect(self.process.address, self.process.tls_ca, self.identities[who])

    def stop(self) -> None:
        if self.process is not None:
            self.process.stop()


def found(directory: Path) -> Server:
    authorities = {name: Authority.create(name, f"ca.{name}") for name in [*HOSPITALS, "InstituteMSP"]}
    genesis = create(directory, authorities, HOSPITALS, ["InstituteMSP"])
    identities = {
        "steward": authorities["AlphaMSP"].issue("steward", ["steward"]),
        "registrar": authorities["AlphaMSP"].issue("registrar", ["registrar"]),
        "beta": authorities["BetaMSP"].issue("steward", ["steward"]),
        "researcher": authorities["InstituteMSP"].issue("researcher", ["researcher"]),
    }
    return Server(directory, authorities, genesis, identities)


def members() -> dict[str, object]:
    def organisation(msp: str, kind: str, roles: list[str]) -> dict[str, object]:
        return {"msp": msp, "name": msp, "kind": kind, "roles": sorted(roles), "origins": []}

    hospitals = [organisation(each, "hospital", ["peer", "registrar", "site", "steward"]) for each in HOSPITALS]
    institute = organisation("InstituteMSP", "institute", ["auditor", "researcher", "runner"])
    return {"organisations": [*hospitals, institute]}
