"""A real Fabric network for a session of tests: peers, orderers and hosts as processes of this machine."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.network import binaries, lifecycle
from ledger.network import network as networks
from ledger.network import plan as plans
from ledger.network.errors import NetworkError
from ledger.network.network import Network
from ledger.network.package import Package
from ledger.network.plan import Member

ATTEMPTS = 5
INTERVAL_MS = 50  # tests wait for one block after another


def require() -> None:
    """Skip the test where Fabric's programs are missing; with CI=true that is a failure."""
    try:
        binaries.find()
    except NetworkError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextmanager
def running(
    directory: Path, hospitals: Sequence[str], institutes: Sequence[str], interval_ms: int = INTERVAL_MS
) -> Iterator[Network]:
    """A network of the organisations with these MSP ids, the contracts deployed; gone afterwards."""
    members = [member(each) for each in hospitals], [member(each) for each in institutes]
    network = up(directory, *members, interval_ms)
    try:
        yield lifecycle.deploy(network, Package.of())
    finally:
        networks.delete(directory)


def up(directory: Path, hospitals: Sequence[Member], institutes: Sequence[Member], interval_ms: int) -> Network:
    """On ports that nobody uses; another program may take one meanwhile."""
    for attempt in range(ATTEMPTS):
        port = random.randrange(15_000, 31_000)  # below those that the system gives out
        plan = plans.draw(hospitals, institutes, host="127.0.0.1", port=port, interval_ms=interval_ms)
        try:
            return networks.up(directory, plan, {})
        except NetworkError as error:
            if error.code != "network.port-taken" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def member(msp: str) -> Member:
    return Member(msp.removesuffix("MSP").lower(), msp)
