"""A real Fabric network for a session of tests: peers, orderers and hosts as processes of this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger import gateway
from ledger.gateway.errors import EndorseError
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.network import binaries, doctor, lifecycle
from ledger.network import network as networks
from ledger.network import plan as plans
from ledger.network.errors import NetworkError
from ledger.network.network import Network
from ledger.network.package import Package
from ledger.network.plan import Member
from tests.support import ports

ATTEMPTS = 5
PATIENCE = 120.0  # seconds for peers to find each other, on a busy machine
INTERVAL_MS = plans.PROFILES["latency"]  # tests wait for one block after another


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
    directory: Path, hospitals: Sequence[str], institutes: Sequence[str], profile: str = "latency"
) -> Iterator[Network]:
    """A network of the organisations with these MSP ids, the contracts deployed; gone afterwards."""
    members = [member(each) for each in hospitals], [member(each) for each in institutes]
    network = up(directory, *members, plans.PROFILES[profile])
    try:
        network = lifecycle.deploy(network, Package.of())
        acquaint(network)
        yield network
    except Exception as error:
        for finding in doctor.examine(network):  # the network is gone when somebody reads of the failure
            if finding.state != "ok":
                error.add_note(f"doctor: {finding.name} {finding.state}: {finding.detail}")
        raise
    finally:
        networks.delete(directory)


def connect(network: Network, msp: str, who: Identity, endorsing: Sequence[str] = ()) -> gateway.Gateway:
    """The door that `msp` uses: a hospital its own peer, an institute the first hospital's.

    `endorsing`: who shall endorse; an institute, which has no peer, must say it: the first three hospitals.
    """
    hospitals = network.plan.hospitals
    own = next(each for each in network.plan.organisations if each.msp == msp)
    asked = own if own.kind == "hospital" else hospitals[0]
    tls = network.layout.client_tls(own)
    return gateway.connect(
        str(asked.peer),
        network.layout.tls_ca(asked).read_bytes(),
        who,
        endorsing_organisations=endorsing or (() if asked is own else [each.msp for each in hospitals[:3]]),
        tls_client=((tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes()),
    )


def acquaint(network: Network) -> None:
    """Return once every hospital's peer has found all others, and so can collect their endorsements."""
    everybody = [each.msp for each in network.plan.hospitals]
    for each in network.plan.hospitals:
        who = Authority.load(network.layout.folder(each) / "ca").issue("prober")
        until = time.monotonic() + PATIENCE
        with connect(network, each.msp, who, everybody) as door:
            while True:
                try:
                    door.contract.proposal("consents:Get", {"commitment": "0" * 64}).endorse(timeout=10)
                    break
                except EndorseError:
                    if time.monotonic() > until:
                        raise
                time.sleep(0.1)


def up(directory: Path, hospitals: Sequence[Member], institutes: Sequence[Member], interval_ms: int) -> Network:
    """On ports that nobody uses; another program may take one meanwhile."""
    for attempt in range(ATTEMPTS):
        port = ports.free_ports(len(hospitals) + len(institutes))
        plan = plans.draw(hospitals, institutes, host="127.0.0.1", port=port, interval_ms=interval_ms)
        try:
            return networks.up(directory, plan, {})
        except NetworkError as error:
            if error.code != "network.port-taken" or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError


def member(msp: str) -> Member:
    return Member(msp.removesuffix("MSP").lower(), msp)
