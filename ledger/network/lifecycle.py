"""Putting a version of the contracts on a network: install, approve by each hospital, commit; upgrade the same way.

Each hospital's own host runs the new version beside the old one until a majority has approved and the definition is
committed; from that block on every peer calls the new host. State stays. Nothing here can make a peer call contracts
that its hospital did not approve: a peer without the approval endorses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from consent import canonical
from ledger.identity import files
from ledger.network import processes
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network, together
from ledger.network.node import Node
from ledger.network.package import Package
from ledger.network.plan import CHAINCODE, Contracts, Organisation

POLICY = "/Channel/Application/Endorsement"  # a strict majority of the hospitals, by their peers; joining re-encodes it


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version of the contracts on its way to a network whose plan already names it, as the newest."""

    network: Network
    package: Package
    contracts: Contracts

    def prepare(self, node: Node) -> None:
        """Start the hospital's host and install the package at its peer; what is done already is left as it is.

        Raises NetworkError `network.process-ended` (with the host's own refusal), `network.refused`.
        """
        layout, organisation, slot = self.network.layout, node.organisation, self.contracts.slot
        folder = layout.folder(organisation)
        listen = organisation.address(f"host_{slot}")
        config = {
            "listen": str(listen),
            "package_id": self.package.id,
            "digest": self.package.digest,
            "hospitals": sorted(each.msp for each in self.network.plan.founders),
            "tls": {"certificate": "tls/server.pem", "key": "tls/server.key", "peer_ca": "../tlsca/ca.pem"},
            "metrics": str(organisation.address(f"host_{slot}_metrics")),
        }
        files.write(folder / "host" / f"host-{slot}.json", canonical.encode(config))
        connect_host(layout, organisation, self.contracts)
        node.launch(node.host(self.contracts), self.network.programs.binaries)
        node.await_ready(node.host(self.contracts))
        if self.package.id not in installed(self.network, organisation):
            file = layout.packages / f"{self.package.label}.tar.gz"
            self.network.programs.peer(organisation, "lifecycle", "chaincode", "install", str(file))

    def approve(self, organisation: Organisation) -> None:
        """Approve the definition in the hospital's name, unless it has.

        Raises NetworkError `network.unknown-package` where its peer has no such package, `network.refused`.
        """
        if self.package.id not in installed(self.network, organisation):
            raise NetworkError(
                "network.unknown-package",
                f"the peer of {organisation.name} does not know {self.package.id}: covenant network deploy installs it",
            )
        if self.ready().get(organisation.msp):
            return
        self._approve(organisation)

    def adopt(self, node: Node) -> None:
        """Let a hospital that came later run the definition that the others committed before."""
        self.prepare(node)
        self._approve(node.organisation)

    def ready(self) -> dict[str, bool]:
        """Which organisations, by MSP id, have approved."""
        first = self.network.plan.hospitals[0]
        said = self.network.programs.peer(
            first, "lifecycle", "chaincode", "checkcommitreadiness", *self._definition, "--output", "json"
        )
        answer: dict[str, bool] = json.loads(said)["approvals"]
        return answer

    def commit(self, organisations: Sequence[Organisation]) -> None:
        """Commit the definition, endorsed by the peers of `organisations`, which must be a majority.

        Returns once each of those peers has it. Raises NetworkError `network.refused`.
        """
        targets: list[str] = []
        for each in organisations:
            tls = str(self.network.layout.tls_ca(each))
            targets += ["--peerAddresses", str(each.peer), "--tlsRootCertFiles", tls]
        self._ordered(organisations[0], "commit", *targets)

    def _approve(self, organisation: Organisation) -> None:
        self._ordered(organisation, "approveformyorg", "--package-id", self.package.id)

    @property
    def _definition(self) -> list[str]:
        return [
            *("--channelID", self.network.plan.channel, "--name", CHAINCODE, "--version", self.package.digest),
            *("--sequence", str(self.contracts.sequence), "--channel-config-policy", POLICY),
        ]

    def _ordered(self, organisation: Organisation, verb: str, *arguments: str) -> None:
        """A lifecycle transaction, through the first orderer that takes it."""
        hospitals = self.network.plan.hospitals
        for orderer in hospitals:
            through = self.network.programs.through(organisation, orderer)
            try:
                self.network.programs.peer(
                    organisation, "lifecycle", "chaincode", verb, *self._definition, *through, *arguments
                )
                return
            except NetworkError as error:
                if orderer is hospitals[-1] or "orderer" not in error.message:
                    raise


def deploy(network: Network, package: Package, tell: Callable[[str], None] = lambda text: None) -> Network:
    """Put `package` on the running `network`, as its first version or an upgrade; the network with its new plan.

    A version that is committed already is left as it is. Raises NetworkError as Deployment's steps do.
    """
    with network.layout.lock():
        standing = committed(network, network.plan.hospitals[0])
        if standing and standing["version"] == package.digest:
            tell(f"{package.label} is what the network runs already")
            return network
        deployment = begin(network, package, int(standing["sequence"]) + 1 if standing else 1)
        network = deployment.network
        tell(f"Starting hosts, installing {package.label}")
        together(deployment.prepare, network.nodes)
        tell("Approving, hospital by hospital")
        together(deployment.approve, network.plan.hospitals)
        deployment.commit(network.plan.hospitals)
        network.await_known()
        return finish(deployment)


def begin(network: Network, package: Package, sequence: int) -> Deployment:
    """Write down that `package` is on its way, so that whatever is started for it is known."""
    plan = network.plan
    running = [each for each in plan.contracts if each.sequence < sequence][-1:]
    dropped = [each for each in plan.contracts if each not in running and each.package_id != package.id]
    processes.stop([node.host(each) for node in network.nodes for each in dropped])
    slot: Literal["a", "b"] = "b" if running and running[0].slot == "a" else "a"
    contracts = Contracts(
        sequence=sequence,
        version=package.version,
        label=package.label,
        package_id=package.id,
        slot=slot,
        source=str(package.source),
    )
    plan = plan.running(*running, contracts)
    network.layout.write(plan)
    files.write(network.layout.packages / f"{package.label}.tar.gz", package.data)
    return Deployment(Network(network.layout, plan, network.programs), package, contracts)


def finish(deployment: Deployment) -> Network:
    """End the hosts of earlier versions, now that no peer calls them."""
    network = deployment.network
    earlier = [each for each in network.plan.contracts if each != deployment.contracts]
    processes.stop([node.host(each) for node in network.nodes for each in earlier])
    plan = network.plan.running(deployment.contracts)
    network.layout.write(plan)
    return Network(network.layout, plan, network.programs)


def connect_host(layout: Layout, organisation: Organisation, contracts: Contracts) -> None:
    """Write how the hospital's peer reaches its host of `contracts`, with the peer's own key to show."""
    tls = layout.folder(organisation) / "peer" / "tls"
    connection = {
        "address": str(organisation.address(f"host_{contracts.slot}")),
        "dial_timeout": "10s",
        "tls_required": True,
        "client_auth_required": True,
        "client_key": files.text(tls / "server.key") + "\n",
        "client_cert": files.text(tls / "server.pem") + "\n",
        "root_cert": files.text(layout.tls_ca(organisation)) + "\n",
    }
    files.write_secret(layout.connections(organisation) / f"{contracts.label}.json", canonical.encode(connection))


def committed(network: Network, organisation: Organisation) -> dict[str, Any] | None:
    """What `organisation`'s peer says of the contracts' definition: `version`, `sequence`; None before the first."""
    try:
        said = network.programs.peer(
            organisation,
            *("lifecycle", "chaincode", "querycommitted", "--channelID", network.plan.channel),
            *("--name", CHAINCODE, "--output", "json"),
        )
    except NetworkError as error:
        if "not defined" in error.message:
            return None
        raise
    answer: dict[str, Any] = json.loads(said)
    return answer


def installed(network: Network, organisation: Organisation) -> set[str]:
    """The package ids that `organisation`'s peer knows."""
    said = network.programs.peer(organisation, "lifecycle", "chaincode", "queryinstalled", "--output", "json")
    return {each["package_id"] for each in json.loads(said).get("installed_chaincodes", [])}
