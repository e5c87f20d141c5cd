"""A hospital's processes: its peer, its orderer, and a chaincode host for each version of the contracts that runs."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from string import Template

from ledger.identity import files
from ledger.network.binaries import Binaries
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import PORTS, Contracts, Organisation, Plan
from ledger.network.processes import Process
from ledger.protocol.consortium import BFT, RAFT, Address

TEMPLATES = resources("ledger.network").joinpath("templates")
BUILDER = Path(__file__).parents[1] / "chaincode" / "builder"
# Collecting garbage less often wins a tenth of the throughput. The limits, which batches of 500 consents would pass by
# far, cost nothing that can be measured: under 100 MiB live in a peer then, under 30 in an orderer.
GO = {"GOGC": "400"}
MEMORY = {"peer": "176MiB", "orderer": "96MiB"}
# How long a gateway waits for an orderer: under Raft it asks one after another, and one that stands still costs this;
# under BFT it asks all at once, and they may choose a leader meanwhile.
BROADCAST = {BFT: "30s", RAFT: "3s"}
# A line for every call and for every step of a connection says little and costs a twentieth of a peer's time.
LOGGING = "info:comm.grpc.server=warning:grpc=error:gateway=warning:endorser=warning:orderer.common.broadcast=error"


@dataclass(frozen=True, slots=True)
class Node:
    """The processes of one hospital of a network."""

    layout: Layout
    plan: Plan
    organisation: Organisation

    @property
    def peer(self) -> Process:
        return self._process("peer")

    @property
    def orderer(self) -> Process:
        return self._process("orderer")

    def host(self, contracts: Contracts) -> Process:
        return self._process(f"host-{contracts.slot}")

    def host_settings(self, contracts: Contracts) -> Path:
        return self.layout.folder(self.organisation) / "host" / f"host-{contracts.slot}.json"

    @property
    def contracts(self) -> list[Contracts]:
        """The versions that this hospital has a host for; while one is on its way that may be fewer than the plan's."""
        return [each for each in self.plan.contracts if self.host_settings(each).exists()]

    @property
    def processes(self) -> list[Process]:
        """All, in the order in which they start."""
        return [self.orderer, self.peer, *(self.host(each) for each in self.contracts)]

    def find(self, part: str) -> list[Process]:
        """The processes called `part`: peer, orderer or host. Raises NetworkError `network.unknown-part`."""
        found = [each for each in self.processes if each.name.split(".")[1].split("-")[0] == part]
        if not found:
            raise NetworkError(
                "network.unknown-part", f"{self.organisation.name} has no {part}: name peer, orderer or host"
            )
        return found

    def launch(self, process: Process, binaries: Binaries) -> None:
        """Start one of `processes`, unless it runs."""
        if process == self.orderer:
            self._start_orderer(binaries)
        elif process == self.peer:
            self._start_peer(binaries)
        else:
            self._start_host(next(each for each in self.plan.contracts if self.host(each) == process))

    def _start_orderer(self, binaries: Binaries) -> None:
        folder = self.configure("orderer", "orderer.yaml")
        env = {"FABRIC_CFG_PATH": str(folder), "FABRIC_LOGGING_SPEC": LOGGING, **GO, "GOMEMLIMIT": MEMORY["orderer"]}
        self.orderer.start([binaries.path("orderer")], env, folder)

    def _start_peer(self, binaries: Binaries) -> None:
        folder = self.configure("peer", "core.yaml")
        env = {
            "FABRIC_CFG_PATH": str(folder),
            "FABRIC_LOGGING_SPEC": LOGGING,
            "COVENANT_CONNECTIONS": str(self.layout.connections(self.organisation)),
            **GO,
            "GOMEMLIMIT": MEMORY["peer"],
        }
        self.peer.start([binaries.path("peer"), "node", "start"], env, folder)

    def _start_host(self, contracts: Contracts) -> None:
        """Start the contracts as installed here; it ends at once where they are not the version that is meant."""
        config = self.host_settings(contracts)
        command = [sys.executable, "-m", "ledger.chaincode", "serve", "--config", str(config)]
        self.host(contracts).start(command, {}, Path(contracts.source))

    def addresses(self) -> Iterator[tuple[Process, Address]]:
        """Each process, and where it answers once it is ready."""
        yield self.orderer, self.organisation.address("orderer_admin")
        yield self.orderer, self.organisation.orderer
        yield self.peer, self.organisation.peer
        for each in self.contracts:
            yield self.host(each), self.organisation.address(f"host_{each.slot}")

    def await_ready(self, *processes: Process) -> None:
        """Wait until each of `processes` answers; raises as Process.await_listening."""
        for process, address in self.addresses():
            if process in processes:
                process.await_listening(address)

    def check_ports(self) -> None:
        """Raise NetworkError `network.port-taken` or `network.address` unless all its ports can be listened on."""
        for what in PORTS:
            check_free(self.organisation, what)

    def configure(self, part: str, template: str) -> Path:
        """Write the settings of `part` anew, and return their folder."""
        folder = self.layout.folder(self.organisation) / part
        each = self.organisation
        text = Template(TEMPLATES.joinpath(template).read_text()).substitute(
            name=each.name,
            msp=each.msp,
            host=each.host,
            channel=self.plan.channel,
            folder=self.layout.folder(each),
            builder=BUILDER,
            broadcast=BROADCAST[self.plan.ordering],
            **{f"{what}_port": str(each.address(what).port) for what in PORTS},
        )
        files.write(folder / template, text.encode())
        return folder

    def _process(self, part: str) -> Process:
        return Process(f"{self.organisation.name}.{part}", self.layout.run, self.layout.logs)


def check_free(organisation: Organisation, what: str) -> None:
    address = organisation.address(what)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise NetworkError(
                    "network.port-taken",
                    f"port {address.port}, for the {what.replace('_', ' ')} of {organisation.name}, is in use: stop "
                    "what uses it, or found the network with another --port",
                ) from None
            raise NetworkError(
                "network.address",
                f"{address.host} is no address of this machine: found the network with another --host",
            ) from None
