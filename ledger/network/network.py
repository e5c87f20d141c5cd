"""A network as a whole: founding, starting, stopping.

Founding is all or nothing. `network.draft` stands until the channel runs; whatever a crash leaves behind it, the next
`up` ends by the process files, deletes and makes anew. A network that stands is only ever started again.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from ledger.identity import files
from ledger.network import binaries, discovery, material, processes
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.node import Node
from ledger.network.plan import Organisation, Plan
from ledger.network.programs import Programs
from ledger.protocol import consortium, genesis

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Network:
    """A founded network, running or not."""

    layout: Layout
    plan: Plan
    programs: Programs

    @classmethod
    def at(cls, directory: Path) -> Network:
        """The network in `directory`. Raises NetworkError `network.not-found`, `network.unfinished`, as find()."""
        layout = Layout(directory.absolute())
        return cls(layout, layout.read(), Programs(binaries.find(), layout))

    @property
    def nodes(self) -> list[Node]:
        """The hospitals' processes that run from this directory."""
        return [Node(self.layout, self.plan, each) for each in self.plan.ours]

    def node(self, name: str) -> Node:
        """A hospital's processes.

        Raises NetworkError `network.unknown-organisation`, `network.no-node`, `network.elsewhere`.
        """
        if self.plan.find(name).kind != "hospital":
            raise NetworkError("network.no-node", f"{name} runs nothing in this network: name one of its hospitals")
        return Node(self.layout, self.plan, self.own(name))

    def own(self, name: str) -> Organisation:
        """A member whose keys are here. Raises NetworkError `network.unknown-organisation`, `network.elsewhere`."""
        organisation = self.plan.find(name)
        if self.plan.here not in ("", name):
            raise NetworkError(
                "network.elsewhere",
                f"{self.layout.directory} is the directory of {self.plan.here}: give this command in that of {name}",
            )
        return organisation

    @property
    def first(self) -> Organisation:
        """The first hospital that runs from here, as which the network is asked. NetworkError `network.no-node`."""
        if not self.plan.ours:
            raise NetworkError("network.no-node", f"{self.plan.here} runs nothing: give this command at a hospital")
        return self.plan.ours[0]

    @property
    def speaker(self) -> Organisation:
        """In whose name the channel is asked: the member whose directory this is, or the first hospital of all."""
        return self.plan.find(self.plan.here) if self.plan.here else self.first

    def asking(self, organisation: Organisation) -> Organisation:
        """In whose name the peer of `organisation` is asked: its own where its keys are here."""
        return organisation if organisation in self.plan.ours else self.first

    def whole(self, instead: str) -> None:
        """Refuse what takes every member's keys where one member's alone are: `network.elsewhere`."""
        if self.plan.here:
            raise NetworkError(
                "network.elsewhere", f"{self.layout.directory} is the directory of {self.plan.here} alone: {instead}"
            )

    def start(self, nodes: Sequence[Node], part: str | None = None) -> None:
        """Start what does not run of `nodes` (all of each, or its `part`), and wait until it answers.

        Raises NetworkError: what is wrong with its keys, ports, or what a process said before it ended.
        """
        for node in nodes:
            if not any(process.pid for process in node.processes):
                node.check_ports()
            material.check(self.layout, node.organisation)
        for node in nodes:
            for process in node.find(part) if part else node.processes:
                node.launch(process, self.programs.binaries)
        for node in nodes:
            node.await_ready(*(node.find(part) if part else node.processes))

    def await_known(self) -> None:
        """Return once every hospital's peer knows the others', so that transactions can be endorsed.

        A hospital without a host, because it has not approved what the others run, endorses nothing and is not awaited.
        """
        deployed = any(each.committed for each in self.plan.contracts)
        awaited = [
            node.organisation for node in self.nodes if not deployed or any(each.committed for each in node.contracts)
        ]
        discovery.await_known(self.layout, self.plan.channel, awaited, deployed=deployed)

    def stop(self, nodes: Sequence[Node], part: str | None = None) -> None:
        """End the processes of `nodes`, or those called `part`."""
        processes.stop([process for node in nodes for process in (node.find(part) if part else node.processes)])


def up(
    directory: Path, plan: Plan, authorities: Mapping[str, Path], tell: Callable[[str], None] = lambda text: None
) -> Network:
    """The network of `plan` in `directory`, running: founded where there is none, else started as it stands.

    `authorities`: the folders of authorities that organisations (by name) already have. `tell` hears of each step.
    Raises NetworkError, among them `network.other-plan` where the directory holds a network of others.
    """
    layout = Layout(directory.absolute())
    programs = Programs(binaries.find(), layout)
    with layout.lock():
        if layout.draft.exists():
            tell("An earlier start did not finish: undoing it")
            clear(layout)
        if layout.plan.exists():
            network = Network(layout, layout.read(), programs)
            check_same(network.plan, plan, layout)
            network.start(network.nodes)
            network.await_known()
            return network
        if layout.prepared:
            raise NetworkError(
                "network.prepared",
                f"{layout.directory} holds a member's keys for a network of several directories: covenant network "
                "accept takes the consortium's file, or choose another --dir",
            )
        network = Network(layout, plan, programs)
        for node in network.nodes:
            node.check_ports()
        try:
            found(network, authorities, tell)
        except BaseException:
            clear(layout, keep_logs=True)
            raise
        return network


def found(network: Network, authorities: Mapping[str, Path], tell: Callable[[str], None]) -> None:
    """Make keys and the genesis block, start every process, and let each orderer and peer join the channel."""
    layout, plan, programs = network.layout, network.plan, network.programs
    layout.write_draft(plan)
    for each in plan.organisations:
        material.create(layout, each, authorities.get(each.name))
    first = genesis.first_block(
        plan.channel,
        channel_group(layout, plan),
        int(time.time()),
        os.urandom(24),
    )
    files.write(layout.genesis, first)
    files.write(layout.genesis_digest, sha256(first).hexdigest().encode() + b"\n")
    tell(f"Starting {len(plan.hospitals)} orderers ({ordering(plan)}) and as many peers")
    network.start(network.nodes)
    together(lambda each: join_orderer(programs, plan.channel, each, layout.genesis), plan.hospitals)
    together(lambda each: join_peer(programs, each), plan.hospitals)
    network.await_known()
    layout.write(plan)
    layout.draft.unlink()


def channel_group(layout: Layout, plan: Plan) -> Any:
    """The channel's configuration as the plan and the organisations' certificates say it should be."""
    return consortium.channel_group(
        [material.hospital(layout, each) for each in plan.hospitals],
        [material.msp(layout, each) for each in plan.institutes],
        consortium.Ordering(kind=plan.ordering, interval_ms=plan.interval_ms),
    )


def join_orderer(programs: Programs, channel: str, hospital: Organisation, block: Path) -> None:
    """Let the hospital's orderer order the channel that `block`, a configuration block, describes."""
    programs.osnadmin(hospital, "join", "--channelID", channel, "--config-block", str(block))


def join_peer(programs: Programs, hospital: Organisation) -> None:
    """Raises NetworkError `network.channel-exists` where the peer has the channel already."""
    try:
        programs.peer(hospital, "channel", "join", "-b", str(programs.layout.genesis))
    except NetworkError as error:
        if "already exists" in error.message:
            raise NetworkError(
                "network.channel-exists",
                f"the peer of {hospital.name} already has this channel: covenant network status shows it",
            ) from None
        raise


def down(directory: Path) -> int:
    """End every process of the network in `directory`; how many ran. Raises NetworkError `network.not-found`."""
    layout = Layout(directory.absolute())
    if not layout.draft.exists() and not layout.plan.exists():
        layout.read()
    with layout.lock():
        ended = processes.running(layout.run, layout.logs)
        processes.stop(ended)
    return len(ended)


def delete(directory: Path) -> None:
    """End and delete the network in `directory`, its ledger and keys too. Raises NetworkError `network.not-found`."""
    down(directory)
    layout = Layout(directory.absolute())
    with layout.lock():
        clear(layout)


def clear(layout: Layout, *, keep_logs: bool = False) -> None:
    """End what the process files name, and delete what founding makes; the draft last, so that it can be repeated."""
    processes.stop(processes.running(layout.run, layout.logs))
    folders = [layout.organisations, layout.run, layout.packages, layout.configuration]
    for folder in folders if keep_logs else [*folders, layout.logs]:
        if folder.exists():
            shutil.rmtree(folder)
    for file in (layout.genesis, layout.genesis_digest, layout.plan, layout.draft):
        file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Row:
    """A process as `status` shows it. `blocks`: a running peer's number of blocks."""

    name: str
    address: str
    pid: int | None
    blocks: int | None


def status(network: Network) -> list[Row]:
    """Each process of each hospital; peers are asked at the same time."""
    nodes = network.nodes
    heights = dict(zip(network.plan.ours, together(lambda each: _height(network, each), nodes), strict=True))
    return [
        Row(process.name, str(address), process.pid, heights[node.organisation] if process == node.peer else None)
        for node in nodes
        for process, address in node.addresses()
        if address != node.organisation.address("orderer_admin")
    ]


def _height(network: Network, node: Node) -> int | None:
    if node.peer.pid is None:
        return None
    try:
        said = network.programs.peer(node.organisation, "channel", "getinfo", "-c", network.plan.channel)
    except NetworkError:
        return None
    return int(json.loads(said.partition(":")[2])["height"])


def check_same(standing: Plan, wanted: Plan, layout: Layout) -> None:
    """Refuse to start a network as if it were another one: `network.other-plan`."""
    ours, theirs = (
        {(each.name, each.msp, each.kind) for each in (*plan.founders, *plan.institutes)} for plan in (standing, wanted)
    )
    if ours != theirs:
        names = ", ".join(each.name for each in standing.organisations)
        raise NetworkError(
            "network.other-plan",
            f"{layout.directory} holds a network of {names}: start it without saying how many, or choose another --dir",
        )


def ordering(plan: Plan) -> str:
    """How the network's orderers agree, plainly."""
    count = len(plan.hospitals)
    if plan.ordering == consortium.BFT:
        return f"Byzantine fault tolerant, {(count - 1) // 3} of {count} may lie or fail"
    return f"Raft, crash tolerant only: with fewer than {consortium.BFT_AT_LEAST} hospitals no orderer may lie"


def together(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """`call` for each of `items` at the same time; the first error is raised once all have ended."""
    listed = list(items)
    with ThreadPoolExecutor(max(1, len(listed))) as pool:
        return list(pool.map(call, listed))
