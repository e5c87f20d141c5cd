"""One real network of four hospitals for all tests here, each hospital in a network namespace of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from ledger.network import lifecycle
from ledger.network import network as networks
from ledger.network import plan as plans
from ledger.network.node import Node
from ledger.network.package import Package
from ledger.network.processes import Process
from tests.chaos.fabric import lan
from tests.chaos.fabric.consortium import Consortium, name_of
from tests.contract.world import HOSPITALS, INSTITUTE, World
from tests.support import fabric


@pytest.fixture(scope="session")
def consortium(tmp_path_factory: pytest.TempPathFactory, program: Callable[..., str]) -> Iterator[Consortium]:
    fabric.require()
    program("ip")
    if not lan.allowed():
        reason = "network namespaces need root"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("fabric") / "network"
    names = [name_of(each) for each in HOSPITALS]
    with lan.laid(names) as cables, pytest.MonkeyPatch.context() as patch:
        begin, check = Process.start, Node.check_ports

        def inside(process: Process, argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
            ours = process.run.is_relative_to(directory)  # other tests' networks, beside this one, are left alone
            begin(process, [*(cables.inside(process.name.partition(".")[0]) if ours else ()), *argv], env, cwd)

        def checked(node: Node) -> None:
            if not node.layout.directory.is_relative_to(directory):
                check(node)  # ours are asked about here, and opened in there

        patch.setattr(Process, "start", inside)
        patch.setattr(Node, "check_ports", checked)
        plan = plans.draw(
            [fabric.member(each) for each in HOSPITALS],
            [fabric.member(INSTITUTE)],
            host="127.0.0.1",
            port=lan.PORT,
            interval_ms=fabric.INTERVAL_MS,
        )
        hosts = {name: cables.host(name) for name in names}
        placed = [replace(each, host=hosts.get(each.name, each.host)) for each in plan.organisations]
        network = networks.up(directory, replace(plan, organisations=tuple(placed)), {})
        try:
            made = Consortium(lifecycle.deploy(network, Package.of()), cables)
            fabric.acquaint(made.network)
            World(made).found()
            yield made
            made.close()
        finally:
            networks.delete(directory)


@pytest.fixture(scope="session")
def world(consortium: Consortium) -> World:
    return World(consortium)


@pytest.fixture(autouse=True)
def healed(consortium: Consortium) -> Iterator[None]:
    """Each test begins with every process running, every cable in, and every orderer following one leader."""
    yield
    for hospital in HOSPITALS:
        consortium.plug(hospital)
        consortium.restart(hospital)
    fabric.acquaint(consortium.network)
    for hospital in HOSPITALS:
        consortium.rejoined(hospital)
