"""The demo's options: epsilon in plain decimals, a directory that is not the demo's left alone; and a full disk."""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace

import pytest

from portal.demo import cli
from portal.demo.cli import check_epsilon, check_ours, empty
from portal.demo.layout import PORTS, Layout
from portal.demo.supervisor import Supervisor
from portal.errors import PortalError
from tests.support import ports
from tests.support.demo import run


@pytest.fixture
def here(monkeypatch):
    """What the command sets for its own process is not set for the tests'."""
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    monkeypatch.setattr(cli.os, "umask", lambda _: 0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("5", "5"), ("10", "10"), ("10.0", "10"), ("0.50", "0.5"), ("1e-1", "0.1"), (" 3 ", "3")],
)
def test_epsilon_is_kept_in_plain_decimals(given, kept):
    assert check_epsilon(given) == kept


@pytest.mark.parametrize(
    "given", ["0", "-1", "0.099", "10.001", "1.2345", "nan", "inf", "-inf", "", "five", "1,5", "1e-7"]
)
def test_an_epsilon_that_is_none_is_refused(given):
    with pytest.raises(PortalError, match=r"demo\.epsilon"):
        check_epsilon(given)


def test_a_wrong_epsilon_is_refused_before_a_reset_deletes_anything(tmp_path):
    (tmp_path / "demo.json").write_text("{}")
    refused = run("demo", "--dir", str(tmp_path), "--reset", "--epsilon", "0", "--no-serve")
    assert (refused.returncode, refused.stderr.startswith("demo.epsilon: ")) == (1, True), refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["demo.json"]


def test_a_reset_deletes_a_demo_and_nothing_else(tmp_path):
    layout = Layout(tmp_path / "demo")
    (layout.directory / "hub").mkdir(parents=True)
    (layout.directory / "hub" / "node.json").write_text("{}")
    with pytest.raises(PortalError, match=r"demo\.not-ours"):
        check_ours(layout)
    layout.chosen.write_text("{}")
    layout.held.touch()
    check_ours(layout)
    empty(layout)
    assert [path.name for path in layout.directory.iterdir()] == ["demo.lock"]


def test_a_reset_of_an_empty_directory_does_nothing(tmp_path):
    layout = Layout(tmp_path)
    check_ours(layout)
    empty(layout)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_a_reset_that_is_cut_off_is_gone_on_with(tmp_path, monkeypatch):
    """Else the next run would take what was not yet deleted for a demo's, or for somebody else's."""
    layout = Layout(tmp_path)
    layout.keep(layout.choose(port=ports.block(PORTS), seed=7, epsilon=None, rounds=None))
    layout.marks.mkdir()
    with monkeypatch.context() as cut:
        cut.setattr(cli.shutil, "rmtree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            empty(layout)
    assert layout.marks.exists()
    monkeypatch.setattr(cli, "run", lambda *_: None)
    cli.demo(directory=tmp_path, port=ports.block(PORTS), no_serve=True)
    assert json.loads(layout.chosen.read_text())["seed"] == 42
    assert not layout.marks.exists() and not layout.emptying.exists()


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("reset", [True, False])
def test_a_port_in_use_is_refused_before_anything_is_deleted_or_written(reset, tmp_path):
    """So that the remedy works: another --port is not refused for a port that never served."""
    first, layout = ports.block(PORTS), Layout(tmp_path / "demo")
    layout.directory.mkdir()
    if reset:
        layout.keep(layout.choose(port=ports.block(PORTS), seed=None, epsilon=None, rounds=None))
    before = {path: path.read_bytes() for path in layout.directory.iterdir()}
    with socket.create_server(("127.0.0.1", first + PORTS - 1)), pytest.raises(PortalError) as refused:
        cli.demo(directory=layout.directory, port=first, reset=reset)
    assert refused.value.code == "demo.port-in-use"
    assert refused.value.message.endswith("or choose another --port")
    assert {path: path.read_bytes() for path in layout.directory.iterdir() if path != layout.held} == before


@pytest.mark.usefixtures("here")
def test_a_demo_that_keeps_its_ports_names_a_remedy_that_works(tmp_path):
    layout = Layout(tmp_path)
    layout.keep(layout.choose(port=(first := ports.block(PORTS)), seed=None, epsilon=None, rounds=None))
    with socket.create_server(("127.0.0.1", first)), pytest.raises(PortalError, match=r"another --dir with another"):
        cli.demo(directory=tmp_path)


@pytest.mark.usefixtures("here")
def test_a_directory_that_holds_something_else_is_left_alone(tmp_path):
    """A later --reset would delete it."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(PortalError, match=r"demo\.not-ours"):
        cli.demo(directory=tmp_path, port=ports.block(PORTS))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.lock", "thesis.txt"]


@pytest.mark.usefixtures("here")
def test_a_first_run_that_was_killed_while_it_kept_its_choices_is_begun_again(tmp_path, monkeypatch):
    """What it leaves is a file that only it can have written, and no stranger's."""
    layout = Layout(tmp_path)
    layout.held.touch()
    (left := tmp_path / ".demo.json.00c0ffee00c0ffee").write_text('{"port": 80')
    (mine := tmp_path / ".demo.json.kept").write_text("mine")
    with pytest.raises(PortalError, match=r"demo\.not-ours"):
        check_ours(layout)
    mine.unlink()
    monkeypatch.setattr(cli, "run", lambda *_: None)
    cli.demo(directory=tmp_path, port=(first := ports.block(PORTS)), no_serve=True)
    assert layout.remembered().port == first and not left.exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kept", ["", "{", "[]", "{}", '{"port": "eighty"}'])
def test_choices_that_nobody_can_read_are_said_and_a_reset_starts_over(kept, tmp_path, monkeypatch):
    layout = Layout(tmp_path)
    layout.chosen.write_text(kept)
    with pytest.raises(PortalError, match=r"demo\.choices: .*demo\.json .* start over with --reset"):
        cli.demo(directory=tmp_path)
    assert layout.chosen.read_text() == kept
    monkeypatch.setattr(cli, "run", lambda *_: None)
    cli.demo(directory=tmp_path, port=ports.block(PORTS), reset=True, no_serve=True)
    assert layout.remembered().seed == 42


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("free", "code"), [(0, "disk.full"), (cli.TOO_LITTLE - 1, "disk.full"), (cli.TOO_LITTLE, "demo.step-failed")]
)
def test_what_fails_on_a_full_disk_is_told_as_a_full_disk(free, code, tmp_path, monkeypatch):
    def fail(*_):
        raise PortalError("demo.step-failed", "hub-migrate ended with status 1: ")

    monkeypatch.setattr(cli.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    monkeypatch.setattr(cli, "run", fail)
    with pytest.raises(PortalError) as refused:
        cli.demo(directory=tmp_path, port=ports.block(PORTS))
    assert refused.value.code == code and "demo.step-failed" in str(refused.value)
    if code == "disk.full":
        assert str(tmp_path) in refused.value.message


@pytest.mark.parametrize("free", [0, cli.ROOM - 1])
def test_a_disk_that_fills_up_ends_the_waiting(free, tmp_path, monkeypatch):
    """Hospitals on it would say `site.disk-full` from there on, round after round."""
    supervisor, layout = Supervisor(tmp_path / "logs"), Layout(tmp_path)
    cli.check(layout, supervisor)
    monkeypatch.setattr(cli.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(PortalError, match=r"disk\.full: no space is left for .* run the same command again"):
        cli.check(layout, supervisor)


def test_a_process_that_ends_ends_the_waiting(tmp_path):
    supervisor, layout = Supervisor(tmp_path / "logs"), Layout(tmp_path)
    supervisor.start("broker", ["false"]).wait()
    with pytest.raises(PortalError, match=r"demo\.process-ended: broker ended with status 1"):
        cli.check(layout, supervisor)


def test_a_report_that_cannot_be_written_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "report.json"):
        with pytest.raises(PortalError, match=r"demo\.report: --report .* cannot be written"):
            cli.check_report(place)
    cli.check_report(tmp_path / "new" / "report.json")
    assert not (tmp_path / "new" / "report.json").exists()
    cli.check_report(None)
    check_ours(Layout(tmp_path / "new"))  # the report's folder may be the demo's own
