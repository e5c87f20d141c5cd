"""Hospitals that share nothing: each founds, deploys and runs its own part, on a machine of its own as it were; a fifth
joins, one renews its keys, one leaves.

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
from typing import Any

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
NEWCOMER = "emil"
HIDE = 'for other in $OTHERS; do mount -t tmpfs tmpfs "$other" || exit; done; exec "$@"'
pytestmark = pytest.mark.timeout(600)


class Machines:
    """A machine for each hospital, on one cable."""

    def __init__(self, folder: Path, cables: lan.Lan) -> None:
        self.folder, self._cables = folder, cables
        for name in [*HOSPITALS, NEWCOMER, "hub"]:
            (folder / name).mkdir()

    def host(self, name: str) -> str:
        return self._cables.host(name)

    def begin(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """`covenant network ARGUMENTS` in the hospital's own directory, at its machine."""
        hidden = " ".join(str(self.folder / each) for each in [*HOSPITALS, NEWCOMER, "hub"] if each != name)
        inside = ["unshare", "--mount"] if name == "hub" else self._cables.inside(name)
        command = [sys.executable, "-m", "covenant", "network", *arguments, "--dir", str(self.folder / name)]
        return subprocess.Popen(
            [*inside, "sh", "-c", HIDE, "sh", *command],
            env={**os.environ, "OTHERS": hidden},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, name: str, *arguments: str) -> str:
        return self.all({name: arguments})[0]

    def try_(self, name: str, *arguments: str) -> str:
        """What the command says, refusal or not: `code: sentence`."""
        return self.begin(name, *arguments).communicate(timeout=300)[0]

    def all(self, commands: dict[str, tuple[str, ...]]) -> list[str]:
        """What each hospital's command says, given at the same time."""
        begun = [self.begin(name, *arguments) for name, arguments in commands.items()]
        said = [each.communicate(timeout=300)[0] for each in begun]
        assert not any(each.returncode for each in begun), "\n".join(said)
        return said

    def network(self, name: str) -> Network:
        return Network.at(self.folder / name)

    def write(self, name: str, function: str = "", arguments: object = None, **options: Any) -> object:
        """As a steward of the hospital, through its own peer, with what lies in its directory."""
        network = self.network(name)
        own, layout = network.plan.find(name), network.layout
        who = Authority.load(layout.folder(own) / "ca").issue("steward", ["steward"])
        tls = layout.client_tls(own)
        shown = (tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes()
        text = {"text": f"text-{secrets.token_hex(6)}", "digests": {"en": "ab" * 32}, "presets": ["cancer"]}
        with connect(str(own.peer), layout.tls_ca(own).read_bytes(), who, tls_client=shown, **options) as door:
            return door.contract.submit(function or "consents:PublishText", arguments or text)

    def writes(self, name: str, **options: Any) -> bool:
        try:
            return bool(self.write(name, **options))
        except LedgerError:
            return False


@pytest.fixture
def machines(tmp_path, program):
    fabric.require()
    program("ip")
    if not lan.allowed():
        pytest.skip("network namespaces need root")
    with lan.laid([*HOSPITALS, NEWCOMER]) as cables:
        made = Machines(tmp_path, cables)
        try:
            yield made
        finally:
            founded = [name for name in [*HOSPITALS, NEWCOMER] if Layout(tmp_path / name).plan.exists()]
            made.all(dict.fromkeys(founded, ("down",)))
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
    eventually(lambda: nothing_is_wrong(machines, "beta"))

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
    said = machines.try_("beta", "doctor")
    assert re.search(r"^broken +delta\.orderer .*at delta: covenant network start delta$", said, re.MULTILINE), said
    prepare = ("prepare", NEWCOMER, "--host", machines.host(NEWCOMER))
    machines.all({"delta": ("up",), NEWCOMER: prepare})

    a_fifth_joins(machines, digest)
    one_renews(machines)
    one_leaves(machines)


def nothing_is_wrong(machines, name):
    said = machines.try_(name, "doctor")
    print(said)
    return re.search("^ok +contracts ", said, re.MULTILINE) and not re.search("^(warning|broken)", said, re.MULTILINE)


def a_fifth_joins(machines, digest):
    sent = machines.folder / f"{NEWCOMER}.member.json"
    sent.write_bytes(Layout(machines.folder / NEWCOMER).member(NEWCOMER).read_bytes())
    machines.run("alpha", "join", NEWCOMER, "--file", str(sent))
    change = str(machines.folder / f"{NEWCOMER}.change.json")
    said = machines.run("beta", "sign", change, "--yes")
    assert f"emil (EmilMSP) joins the channel covenant, at {machines.host(NEWCOMER)}, ports 7050 to 7061" in said
    assert "Signed by alpha; it takes 3." in said
    machines.run("gamma", "sign", change, "--yes")
    machines.run("delta", "apply", change)  # who sends it need not have signed
    machines.all(dict.fromkeys(("alpha", "beta", "gamma", "hub"), ("apply", change)))
    machines.run(NEWCOMER, "accept", change, "--genesis", digest)
    machines.run(NEWCOMER, "up")
    machines.run(NEWCOMER, "approve", NEWCOMER)
    eventually(lambda: machines.writes("alpha", endorsing_organisations=["AlphaMSP", "BetaMSP", "EmilMSP"]))
    for name in [*HOSPITALS, NEWCOMER]:
        assert [each.name for each in machines.network(name).plan.hospitals][-1] == NEWCOMER


def one_renews(machines):
    network = machines.network("beta")
    place = network.layout.folder(network.plan.find("beta")) / "orderer" / "tls" / "server.pem"
    before = place.read_bytes()
    machines.run("beta", "renew", "beta")
    assert place.read_bytes() == before  # until the channel knows
    change = str(machines.folder / "beta.change.json")
    said = machines.run("alpha", "sign", change, "--yes")
    assert "beta (BetaMSP) renews its orderer's certificates" in said and "Signed by beta; it takes 3." in said
    # the newcomer's orderer may still be fetching blocks
    eventually(lambda: "Signed: " in machines.try_(NEWCOMER, "sign", change, "--yes"))
    machines.run("beta", "apply", change)
    assert place.read_bytes() != before
    machines.all(dict.fromkeys(("alpha", NEWCOMER), ("apply", change)))  # the others will take note of the next alone
    eventually(lambda: machines.writes("beta"))


def one_leaves(machines):
    stale = str(machines.folder / "beta.change.json")
    machines.run("alpha", "leave", "gamma")
    change = str(machines.folder / "gamma.change.json")
    for name in ("beta", NEWCOMER):
        assert "gamma leaves the channel covenant" in machines.run(name, "sign", change, "--yes")
    machines.run("alpha", "apply", change)
    eventually(lambda: "network.behind" in machines.try_("delta", "leave", "beta"))  # its orderer has the block
    machines.all(dict.fromkeys(("beta", "delta", NEWCOMER, "hub"), ("apply", change)) | {"gamma": ("down",)})
    assert "network.other-configuration" in machines.try_("alpha", "sign", stale, "--yes")
    for name in ("alpha", "beta", "delta"):
        eventually(lambda name=name: machines.writes(name))
    eventually(lambda: nothing_is_wrong(machines, NEWCOMER))
