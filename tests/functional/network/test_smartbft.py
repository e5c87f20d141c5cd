"""The module by which orderers agree, as it is patched here, against a leader that lies: in Go, beside its own."""

from __future__ import annotations

import shutil
import subprocess

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


@pytest.fixture
def patched(tmp_path):
    """SmartBFT's folder as `make fabric` builds it, with none of its tests but ours."""
    fabric.require()
    go = build.find_go()
    build.patched(go, tmp_path)
    folder = tmp_path / build.COPY
    for each in (folder / "test").glob("*_test.go"):
        each.unlink()
    for each in (SOURCES / "smartbft").glob("*_test.go"):
        shutil.copy(each, folder / "test")
    (folder / "test" / "nodes.go").write_text(NODES)
    return folder


@pytest.mark.timeout(600)
def test_an_equivocating_leader_divides_nobody(patched):
    command = [build.find_go(), "test", "-trimpath", "-count=1", "-v", "-run", "Equivocating", "./test"]
    said = subprocess.run(
        command, cwd=patched, env=build.environment(patched), capture_output=True, text=True, check=False
    )
    told = "\n".join(line for line in said.stdout.splitlines() if "\t" not in line)
    assert said.returncode == 0, told + said.stderr[-2000:]
    assert told.count("    --- PASS: TestAnEquivocatingLeaderDividesNobody/") == 8, told
