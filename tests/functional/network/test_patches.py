"""What orderers are built from, as it is patched here: in Go, beside its own tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ledger.network import build
from ledger.network.binaries import SOURCES
from tests.support import fabric

NODES = """package test

func startNodes(nodes []*App, network *Network) {
	for _, node := range nodes {
		if err := node.Consensus.Start(); err != nil {
			panic(err)
		}
	}
	network.StartServe()
}
"""


@pytest.fixture(scope="module")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `make fabric` builds: the patched modules, with no tests beside ours, and a go.mod."""
    fabric.require()
    draft = tmp_path_factory.mktemp("patched")
    build.patched(build.find_go(), draft)
    ours = {draft / each.relative_to(SOURCES): each for each in SOURCES.rglob("*_test.go")}
    for folder in {place.parent for place in ours}:
        for each in folder.glob("*_test.go"):
            each.unlink()
    for place, each in ours.items():
        shutil.copy(each, place)
    return draft


def go_test(folder: Path, name: str, package: str, *options: str) -> str:
    """What the tests of this name say, once they have passed."""
    command = [build.find_go(), "test", "-trimpath", "-count=1", "-v", "-run", name, *options, package]
    said = subprocess.run(
        command, cwd=folder, env=build.environment(folder), capture_output=True, text=True, check=False
    )
    told = "\n".join(line for line in said.stdout.splitlines() if "\t" not in line)
    assert said.returncode == 0, told + said.stderr[-2000:]
    return told


@pytest.mark.timeout(600)
def test_an_equivocating_leader_divides_nobody(patched: Path) -> None:
    (patched / "smartbft" / "test" / "nodes.go").write_text(NODES)
    told = go_test(patched / "smartbft", "Equivocating", "./test")
    assert told.count("    --- PASS: TestAnEquivocatingLeaderDividesNobody/") == 8, told


@pytest.mark.timeout(600)
def test_who_starts_complains_only_of_a_leader_that_has_been_silent_since(patched: Path) -> None:
    told = go_test(patched / "smartbft", "StaleTick", "./internal/bft")
    assert told.count("--- PASS: TestAStaleTickIsNo") == 2, told


@pytest.mark.timeout(600)
def test_a_block_that_was_delivered_is_in_the_ledger(patched: Path) -> None:
    modfile = f"-modfile={patched / build.MODFILE}"
    package = "github.com/hyperledger/fabric/orderer/consensus/smartbft"
    told = go_test(SOURCES, "Delivered", package, modfile, "-vet=off")
    assert "--- PASS: TestADeliveredBlockIsInTheLedger" in told, told
