"""Four hospitals that share nothing: each founds, deploys and runs its own part, on a machine of its own as it were.

Every command and process of a hospital runs in a network namespace of its own, where the folders of the others are
empty: what works so needs nobody else's keys.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ledger.errors import LedgerError
from ledger.gateway import connect
from ledger.identity.ca import Authority
from ledger.network.layout import Layout
from ledger.network.network import Network
from tests.chaos.fabric import lan
from tests.functional.network.test_network import eventually, founding
from tests.support import fabric

HOSPITALS = ["alpha", "beta", "gamma", "delta"]
HIDE = 'for other in $OTHERS; do mount -t tmpfs tmpfs "$other" || exit; done; exec "$@"'
pytestmark = pytest.mark.timeout(600)


class Machines:
    """A machine for each hospital, on one cable."""

    def __init__(self, folder: Path, cables: lan.Lan) -> None:
        self.folder, self._cables = folder, cables
        for name in [*HOSPITALS, "hub"]:
            (folder / name).mkdir()

    def host(self, name: str) -> str:
        return self._cables.host(name)

    def begin(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """`covenant network ARGUMENTS` in the hospital's own directory, at its machine."""
        hidden = " ".join(str(self.folder / each) for each in [*HOSPITALS, "hub"] if each != name)
        inside = self._cables.inside(name) if name in HOSPITALS else ["unshare", "--mount"]
        command = [sys.executable, "-m", "covenant", "network", *arguments, "--dir", str(self.folder / name)]
        return subprocess.Popen(
            [*inside, "sh", "-c", HIDE, "sh", *command],
            env={**os.environ, "OTHERS": hidden},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, name: str, *arguments: str) -> str:
        return self.all({name: arguments})[0]

    def all(self, commands: dict[str, tuple[str, ...]]) -> list[str]:
        """What each hospital's command says, given at the same time."""
        begun = [self.begin(name, *arguments) for name, arguments in commands.items()]
        said = [each.communicate(timeout=300)[0] for each in begun]
        assert not any(each.returncode for each in begun), "\n".join(said)
        return said

    def network(self, name: str) -> Network:
        return Network.at(self.folder / name)

    def write(self, name: str, function: str = "", arguments: object = None) -> object:
        """As a steward of the hospital, through its own peer, with what lies in its directory."""
        network = self.network(name)
        own, layout = network.plan.find(name), network.layout
        who = Authority.load(layout.folder(own) / "ca").issue("steward", ["steward"])
        tls = layout.client_tls(own)
        shown = (tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes()
        text = {"text": f"text-{secrets.token_hex(6)}", "digests": {"en": "ab" * 32}, "presets": ["cancer"]}
        with connect(str(own.peer), layout.tls_ca(own).read_bytes(), who, tls_client=shown) as door:
            return door.contract.submit(function or "consents:PublishText", arguments or text)

    def writes(self, name: str) -> bool:
        try:
            return bool(self.write(name))
        except LedgerError:
            return False


@pytest.fixture
def machines(tmp_path, program):
    fabric.require()
    program("ip")
    if not lan.allowed():
        pytest.skip("network namespaces need root")
    with lan.laid(HOSPITALS) as cables:
        made = Machines(tmp_path, cables)
        try:
            yield made
        finally:
            for name in HOSPITALS:
                if Layout(tmp_path / name).plan.exists():
                    made.run(name, "down")
            left = [each for each in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(each.info["cmdline"])]
            assert not left


def test_each_hospital_brings_up_its_own_part_with_its_own_keys_alone(machines, tmp_path):
    ready = {name: ("prepare", name, "--host", machines.host(name)) for name in HOSPITALS}
    machines.all(ready | {"hub": ("prepare", "hub", "--host", "127.0.0.1", "--institute")})
    sent = tmp_path / "sent"
    sent.mkdir()
    for name in [*HOSPITALS, "hub"]:
        file = Layout(machines.folder / name).member(name)
        (sent / file.name).write_bytes(file.read_bytes())
    consortium = tmp_path / "consortium.json"
    files = [str(each) for each in sent.iterdir()]
    made = subprocess.run(
        [sys.executable, "-m", "covenant", "network", "found", *files, "--profile", "latency", "--out", consortium],
        capture_output=True,
        text=True,
        check=True,
    )
    digest = made.stdout.split()[-1]
    machines.all({name: ("accept", str(consortium), "--genesis", digest) for name in [*HOSPITALS, "hub"]})
    machines.all(dict.fromkeys(HOSPITALS, ("up",)))

    majority = HOSPITALS[:3]
    machines.all({name: ("approve", name) for name in majority})
    machines.run("alpha", "commit")
    machines.all({"beta": ("commit",), "gamma": ("commit",), "delta": ("approve", "delta")})
    machines.write("alpha", "members:Found", founding(machines.network("alpha")))
    for name in HOSPITALS:
        eventually(lambda name=name: machines.writes(name))
    said = machines.run("beta", "doctor")
    assert not re.search("^(warning|broken)", said, re.MULTILINE), said

    for name in HOSPITALS:
        others = [machines.folder / each for each in [*HOSPITALS, "hub"] if each != name]
        running = [process.pid for process in machines.network(name).node(name).processes]
        assert len(running) == 3 and all(running)
        for pid in running:  # as the process itself sees them
            assert not any(os.listdir(f"/proc/{pid}/root{other}") for other in others)
        keys = [each for each in machines.folder.joinpath(name).rglob("*") if each.name in ("key.pem", "server.key")]
        assert keys and all(each.is_relative_to(machines.folder / name / "orgs" / name) for each in keys)

    machines.run("delta", "down")
    eventually(lambda: machines.writes("alpha"))
    said = machines.begin("beta", "doctor").communicate(timeout=300)[0]
    assert re.search(r"^broken +delta\.orderer .*at delta: covenant network start delta$", said, re.MULTILINE), said
