"""The processes of a node: what the operator's supervisor, or the demo, starts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from portal import config


@dataclass(frozen=True, slots=True)
class Process:
    """`name` is unique in the node; `env` is what it needs beside the environment it is started in."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]


def node_processes(config_path: Path | str) -> list[Process]:
    """Web, reactor and worker of the node whose settings file is `config_path`; ConfigurationError as config.load."""
    node = config.load(config_path)
    env = {config.VARIABLE: str(Path(config_path).absolute()), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    python = sys.executable
    web = (
        python,
        "-m",
        "waitress",
        f"--listen=127.0.0.1:{node.port}",
        "--threads=4",
        "--ident=",
        "portal.wsgi:application",
    )
    app = "portal.grid.celery:site" if node.role == "hospital" else "portal.grid.celery:hub"
    worker = (python, "-m", "celery", "--app", app, "worker", "--pool", "solo", "--loglevel", "WARNING")
    return [
        Process(f"{node.name}-web", web, env),
        Process(f"{node.name}-reactor", (python, "-m", "portal.manage", "follow"), env),
        Process(f"{node.name}-worker", worker, {**env, "FLWR_TELEMETRY_ENABLED": "0"}),
    ]


def setup_commands(config_path: Path | str) -> list[Process]:
    """What must run to its end before `node_processes` start: the database's tables."""
    node = config.load(config_path)
    env = {config.VARIABLE: str(Path(config_path).absolute())}
    migrate = (sys.executable, "-m", "portal.manage", "migrate", "--noinput", "--verbosity", "0")
    return [Process(f"{node.name}-migrate", migrate, env)]
