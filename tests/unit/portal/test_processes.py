"""What a supervisor starts: three processes a node, on loopback, each told which node it is."""

from __future__ import annotations

import pytest

from portal import config
from portal.errors import ConfigurationError
from portal.processes import node_processes, setup_commands
from tests.functional.node import make_node


@pytest.mark.parametrize(("role", "app"), [("hospital", "portal.grid.celery:site"), ("hub", "portal.grid.celery:hub")])
def test_web_reactor_and_worker_of_one_node(tmp_path, role, app):
    file = make_node(tmp_path / "node", role, port=8123)
    name = config.load(file).name
    web, reactor, worker = node_processes(file)
    assert [one.name for one in (web, reactor, worker)] == [f"{name}-web", f"{name}-reactor", f"{name}-worker"]
    assert all(one.env[config.VARIABLE] == str(file) for one in (web, reactor, worker))
    assert "--listen=127.0.0.1:8123" in web.argv and reactor.argv[-1] == "follow"
    assert app in worker.argv and worker.env["FLWR_TELEMETRY_ENABLED"] == "0"


def test_no_secret_stands_in_a_command_line_or_an_environment(tmp_path):
    file = make_node(tmp_path / "node", "hospital", broker={"url": "rediss://node:hidden-word@localhost:1"})
    told = repr([*node_processes(file), *setup_commands(file)])
    assert "hidden-word" not in told and config.load(file).secret_key() not in told


def test_the_tables_come_first(tmp_path):
    (migrate,) = setup_commands(make_node(tmp_path / "node", "hub"))
    assert "migrate" in migrate.argv and "--noinput" in migrate.argv


def test_a_node_that_cannot_start_is_told_before_anything_does(tmp_path):
    with pytest.raises(ConfigurationError, match="config.invalid"):
        node_processes(make_node(tmp_path / "node", "hub", port=0))
