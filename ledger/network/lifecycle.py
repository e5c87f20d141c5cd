"""Putting a version of the contracts on a network: install, approve by each hospital, commit; upgrade the same way.

Each hospital's own host runs the new version beside the old one until a majority has approved and the definition is
committed; from that block on every peer calls the new host. State stays. `deploy` takes all steps for all hospitals;
`approve` and `commit` take them one hospital at a time. Nothing here can make a peer call contracts that its hospital
did not approve: a peer without the approval endorses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from msgspec import structs

from consent import canonical
from ledger.identity import files
from ledger.network import processes
from ledger.network.definition import approval, committed, installed, runs
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network, together
from ledger.network.node import Node
from ledger.network.operations import UNHEARD, leader
from ledger.network.package import Package
from ledger.network.plan import CHAINCODE, Contracts, Organisation

POLICY = "/Channel/Application/Endorsement"  # a strict majority of the hospitals, by their peers; joining re-encodes it
PATIENCE = "15s"  # for a lifecycle transaction's block, before another orderer is asked


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
        listen = organisation.address(f"host_{slot}")
        config = {
            "listen": str(listen),
            "package_id": self.package.id,
            "digest": self.package.digest,
            "hospitals": sorted(each.msp for each in self.network.plan.founders),
            "tls": {"certificate": "tls/server.pem", "key": "tls/server.key", "peer_ca": "../tlsca/ca.pem"},
            "metrics": str(organisation.address(f"host_{slot}_metrics")),
        }
        files.write(node.host_settings(self.contracts), canonical.encode(config))
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

        def approved() -> bool:
            return approval(self.network, organisation, self.contracts.sequence) == self.package.id

        if not approved():
            self._ordered(organisation, approved, "approveformyorg", "--package-id", self.package.id)

    def adopt(self, node: Node) -> None:
        """Let one hospital run the version, whether the others have committed it or not."""
        self.prepare(node)
        self.approve(node.organisation)

    def ready(self) -> dict[str, bool]:
        """Which organisations, by MSP id, have approved what is not committed yet."""
        said = self.network.programs.peer(
            self.network.first, "lifecycle", "chaincode", "checkcommitreadiness", *self._definition, "--output", "json"
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

        def stands() -> bool:
            return all(runs(self.network, each, self.package) for each in organisations)

        self._ordered(self.network.asking(organisations[0]), stands, "commit", *targets)

    @property
    def _definition(self) -> list[str]:
        return [
            *("--channelID", self.network.plan.channel, "--name", CHAINCODE, "--version", self.package.digest),
            *("--sequence", str(self.contracts.sequence), "--channel-config-policy", POLICY),
        ]

    def _ordered(self, organisation: Organisation, done: Callable[[], bool], verb: str, *arguments: str) -> None:
        """A lifecycle transaction, through one orderer after another until it stands.

        The orderers may have no leader just then, or lose what they took; an answer that is late leaves open whether
        the transaction stands: `done` says, before it is sent again.
        """
        hospitals = leader_first(self.network)
        for orderer in hospitals:
            through = [*self.network.programs.through(organisation, orderer), "--waitForEventTimeout", PATIENCE]
            try:
                self.network.programs.peer(
                    organisation, "lifecycle", "chaincode", verb, *self._definition, *through, *arguments
                )
                return
            except NetworkError:
                if done():
                    return
                if orderer is hospitals[-1]:
                    raise


def deploy(network: Network, package: Package, tell: Callable[[str], None] = lambda text: None) -> Network:
    """Put `package` on the running `network`, as its first version or an upgrade; the network with its new plan.

    A version that is committed already is left as it is. Raises NetworkError `network.elsewhere`, and as Deployment's
    steps do.
    """
    network.whole("covenant network approve, at each hospital, then commit")
    with network.layout.lock():
        network = settled(network)
        standing = committed(network, network.first)
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
        return finish(deployment)


def approve(network: Network, name: str, package: Package, tell: Callable[[str], None] = lambda text: None) -> Network:
    """Let the hospital `name` alone install and approve `package`; both versions' hosts run until one is committed.

    A version that the others have committed meanwhile is what the hospital runs from then on. Raises NetworkError
    `network.other-version` where another version is on its way, and as Deployment's steps do.
    """
    with network.layout.lock():
        network = settled(network)
        node = network.node(name)
        standing = committed(network, node.organisation)
        sequence = int(standing["sequence"]) if standing else 0
        stands = standing is not None and standing["version"] == package.digest
        if stands:  # the others did without this hospital
            contracts = next((each for each in network.plan.contracts if each.sequence == sequence), None)
            deployment = Deployment(network, package, contracts) if contracts else begin(network, package, sequence)
        else:
            coming = network.plan.coming
            if coming and coming.package_id != package.id:
                raise NetworkError(
                    "network.other-version",
                    f"{coming.label} is on its way, not {package.label}: name its --source, or let `covenant network "
                    "deploy` put another version on the network",
                )
            deployment = begin(network, package, sequence + 1)
        tell(f"Starting a host, installing and approving {package.label}")
        deployment.adopt(deployment.network.node(name))
        if not deployment.contracts.committed:
            return finish(deployment) if stands else deployment.network
        network.await_known()
        return deployment.network


def commit(network: Network, tell: Callable[[str], None] = lambda text: None) -> Network:
    """Commit the version that a majority has approved; the hosts of the one before end.

    A hospital that has not approved endorses nothing until it does. Raises NetworkError `network.nothing-coming`,
    `network.no-majority`, `network.refused`.
    """
    with network.layout.lock():
        coming = network.plan.coming
        network = settled(network)
        if coming and network.plan.coming is None:
            return network
        if coming is None:
            raise NetworkError(
                "network.nothing-coming", "no version waits for a commit: covenant network approve ORG begins one"
            )
        deployment = Deployment(network, Package.of(Path(coming.source)), coming)
        ready = deployment.ready()
        hospitals = network.plan.hospitals
        approving = [each for each in hospitals if ready.get(each.msp)]
        if 2 * len(approving) <= len(hospitals):
            raise NetworkError(
                "network.no-majority",
                f"{len(approving)} of {len(hospitals)} hospitals have approved {coming.label}, and it takes more than "
                "half: covenant network approve ORG",
            )
        tell(f"Committing {coming.label}, approved by {', '.join(each.name for each in approving)}")
        deployment.commit(approving)
        return finish(deployment)


def begin(network: Network, package: Package, sequence: int) -> Deployment:
    """Write down that `package` is on its way, so that whatever is started for it is known."""
    plan = network.plan
    running = [each for each in plan.contracts if each.sequence < sequence][-1:]
    coming = plan.coming
    if coming and coming.package_id == package.id and coming.sequence == sequence:
        return Deployment(network, package, coming)
    dropped = [each for each in plan.contracts if each not in running]
    slot: Literal["a", "b"] = "b" if running and running[0].slot == "a" else "a"
    contracts = Contracts(
        sequence=sequence,
        version=package.version,
        label=package.label,
        package_id=package.id,
        slot=slot,
        source=str(package.source),
        committed=False,
    )
    retire(network, [*dropped, contracts])  # no hospital has a host for it yet, whatever lies in its place
    plan = plan.running(*running, contracts)
    network.layout.write(plan)
    files.write(network.layout.packages / f"{package.label}.tar.gz", package.data)
    return Deployment(Network(network.layout, plan, network.programs), package, contracts)


def finish(deployment: Deployment) -> Network:
    """Once every peer that has the version is known to run it, end the hosts of earlier ones, which no peer calls."""
    network = deployment.network
    contracts = structs.replace(deployment.contracts, committed=True)
    earlier = [each for each in network.plan.contracts if each != deployment.contracts]
    plan = network.plan.running(contracts)
    finished = Network(network.layout, plan, network.programs)
    finished.await_known()
    retire(network, earlier)
    network.layout.write(plan)
    return finished


def settled(network: Network) -> Network:
    """`network`, with note taken of a version that it runs since a command that was cut off before it could note it."""
    coming = network.plan.coming
    standing = committed(network, network.first) if coming else None
    if coming and standing and coming.label.endswith(standing["version"][:12]):
        return finish(Deployment(network, Package.of(Path(coming.source)), coming))
    return network


def leader_first(network: Network) -> list[Organisation]:
    """The hospitals, the one whose orderer leads first: another one keeps a transaction for two seconds before it
    passes it on.
    """
    hospitals = list(network.plan.hospitals)
    for each in hospitals:
        with suppress(*UNHEARD):
            leads = leader(network, each)
            return sorted(hospitals, key=lambda hospital: hospital.consenter != leads)
    return hospitals


def retire(network: Network, versions: Sequence[Contracts]) -> None:
    """End the hosts of `versions`, at every hospital."""
    processes.stop([node.host(each) for node in network.nodes for each in versions])
    for node in network.nodes:
        for each in versions:
            node.host_settings(each).unlink(missing_ok=True)


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
