"""The Celery apps of a node. Importing this needs COVENANT_NODE; which app it makes depends on the node's role.

    celery --app portal.grid.celery:hub  worker --pool solo
    celery --app portal.grid.celery:site worker ...                # at a hospital (portal/processes.py has both)

One process a worker: `--pool solo` runs tasks in the worker itself, so nothing forks under gRPC or torch. The worker
connects outwards to the broker; nothing connects to it. Tasks: `hub.run_study`, `hub.sweep`; `site.deliver`,
`site.answer_counts`. A timer thread looks every few seconds for work left behind and only ever sends tasks.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import threading
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready, worker_shutdown

from portal import config
from portal.grid import queues

SWEEP_SECONDS = 5.0
NODE = config.load()
_stop = threading.Event()


def make(node: config.NodeConfig) -> Celery:
    """The app of `node`: the hub may send to every hospital's queue, a hospital consumes its own and sends nothing."""
    app = Celery(f"covenant-{node.role}", include=["portal.grid.tasks"])
    if node.role == "hub":
        others = tuple(queues.queue_of(peer.msp) for peer in node.peers)
        return queues.configure(app, node.broker.url, "hub", others)
    return queues.configure(app, node.broker.url, queues.queue_of(node.msp))


hub = site = app = make(NODE)


@worker_init.connect
def be_quiet(sender: Any, **_: Any) -> None:
    """No gossip, mingle or heartbeat, whatever the command line says: a hospital's broker user may not broadcast."""
    sender.options.update(without_gossip=True, without_mingle=True, without_heartbeat=True)
    if NODE.role == "hospital":  # torch takes seconds to import: before the worker is ready, not within a round
        import django

        django.setup()
        from portal.grid.site import warm

        warm()


@worker_ready.connect
def begin(**_: Any) -> None:
    """The worker is up: look for work left behind, now and every few seconds."""
    from portal.grid import sweep

    look = sweep.hub if NODE.role == "hub" else sweep.site
    threading.Thread(target=repeat, args=(look,), name="sweep", daemon=True).start()


@worker_shutdown.connect
def end(**_: Any) -> None:
    _stop.set()


def repeat(look: Callable[[], None]) -> None:
    while True:
        look()
        if _stop.wait(SWEEP_SECONDS):
            return
