"""Celery as both ends configure it: JSON only, one queue a hospital, no commands to a worker from outside.

No pickle; no remote control, events, gossip, mingle or heartbeat; queues are declared, never made on demand. Messages
are acknowledged after the work and may come twice or not at all: senders have deadlines and ask again, sites answer
repeats from their record.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu import Exchange, Queue

VISIBILITY = 6 * 3600  # seconds before an unacknowledged message is given out again; longer than any task
DELIVER = "site.deliver"
RUN_STUDY, SWEEP = "hub.run_study", "hub.sweep"
ANSWER_COUNTS = "site.answer_counts"


def queue_of(site: str) -> str:
    """The queue that only `site` (an MSP id) consumes. The hub's own is `hub`."""
    return f"site.{site}"


def declared(name: str) -> Queue:
    return Queue(name, Exchange(name, type="direct", durable=True), routing_key=name)


def configure(app: Celery, url: str, own: str, others: tuple[str, ...] = ()) -> Celery:
    """Settle `app` on the broker at `url`: it consumes the queue `own`; `others` are queues that it sends to."""
    transport: dict[str, Any] = {
        "visibility_timeout": VISIBILITY,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "priority_steps": [0],
        "unacked_key": f"{own}.unacked",
        "unacked_index_key": f"{own}.unacked_index",
        "unacked_mutex_key": f"{own}.unacked_mutex",
    }
    app.conf.update(
        broker_url=url,
        result_backend=None,
        task_ignore_result=True,
        broker_transport_options=transport,
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        result_accept_content=["json"],
        task_queues=[declared(name) for name in (own, *others)],
        task_default_queue=own,
        task_default_exchange=own,
        task_default_routing_key=own,
        task_create_missing_queues=False,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        enable_utc=True,
    )
    app.amqp.queues.deselect(others)
    return app
