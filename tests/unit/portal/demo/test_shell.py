"""A node's process is there while it is asked, rests when told, and begins again at the next question."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from portal.demo.layout import SITES, Layout
from portal.demo.shell import Shells
from portal.errors import PortalError

NODE = """
import json, os, sys
for line in sys.stdin:
    if json.loads(line)["action"] == "end":
        break
    print(json.dumps({"ok": True, "result": os.getpid()}), flush=True)
"""


class Begins:
    """In a nursery's place: it begins a program that answers with its own process number."""

    def start(self, name, argv, env, files):
        assert argv[1:] == ["-m", "portal.demo.node"] and env["COVENANT_NODE"]
        stdin, stdout, stderr = files
        return subprocess.Popen([sys.executable, "-c", NODE], stdin=stdin, stdout=stdout, stderr=stderr)


@pytest.fixture
def shells(tmp_path):
    layout = Layout(tmp_path)
    layout.logs.mkdir(parents=True)
    with Shells(layout, Begins()) as made:
        yield made


def test_all_are_asked_side_by_side_and_stay(shells):
    first = shells.ask_hospitals("name")
    assert len(set(first.values())) == len(SITES) - 1
    assert shells.ask_hospitals("name") == first and shells.ask("hub", "name") not in first.values()


def test_they_rest_until_they_are_asked_again(shells):
    before = shells.ask_hospitals("name")
    shells.rest()
    assert not any(map(psutil.pid_exists, before.values()))
    assert [name for name, shell in shells.by_name.items() if shell.child] == []
    again = shells.ask("cleveland", "name")
    assert again != before["cleveland"]
    assert [name for name, shell in shells.by_name.items() if shell.child] == ["cleveland"]
    assert shells.ask_hospitals("name")["cleveland"] == again


def test_one_that_ended_says_so_and_leaves_nothing(shells):
    with pytest.raises(PortalError, match=r"demo\.node-ended.*hub-setup\.log"):
        shells.ask("hub", "end")
    shells.rest()
    assert isinstance(shells.ask("hub", "name"), int)
