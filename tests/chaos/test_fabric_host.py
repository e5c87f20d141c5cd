"""A hospital's contract host dies, or is stopped, on a real Fabric network: its hospital endorses nothing until it is
back, and its peer finds it again by itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from ledger import gateway
from ledger.gateway.errors import EndorseError
from ledger.identity.ca import Authority
from ledger.network.network import Network
from tests.contract.world import HOSPITALS, TEXT, Patient, digest, organisations
from tests.support import fabric

pytestmark = pytest.mark.chaos
PATIENCE = 60.0  # seconds, on a busy machine


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    fabric.require()
    with fabric.running(tmp_path_factory.mktemp("fabric") / "network", HOSPITALS, []) as made:
        yield made


@pytest.fixture(scope="module")
def door(network: Network) -> Iterator[gateway.Gateway]:
    """The first hospital's own, the consortium founded."""
    authority = Authority.load(network.layout.folder(network.plan.hospitals[0]) / "ca")
    with fabric.connect(network, HOSPITALS[0], authority.issue("clerk", ["registrar", "steward"])) as made:
        made.contract.submit("members:Found", {"organisations": organisations()})
        text = {"text": TEXT, "digests": {"en": digest("text")}, "presets": ["heart-disease"]}
        made.contract.submit("consents:PublishText", text)
        yield made


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_host_that_ends_is_found_again(network, door, how):
    node = network.nodes[0]
    (host,) = node.find("host")

    def record() -> None:
        door.contract.submit("consents:Record", {"grant": patient.sealed()}, evidence=patient.evidence())

    patient = Patient().grant()
    record()
    os.kill(host.pid, how)
    eventually(lambda: None if host.pid is None else pytest.fail("it still runs"))
    patient = Patient().grant()
    with pytest.raises(EndorseError):
        record()
    network.start([node], "host")
    eventually(record)
    assert door.contract.evaluate("consents:Get", {"commitment": patient.commitment})["status"] == "active"


def eventually(act) -> None:
    """Do `act` until it succeeds."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            act()
            return
        except (EndorseError, pytest.fail.Exception):
            if time.monotonic() > until:
                raise
        time.sleep(0.1)
