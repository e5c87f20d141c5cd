"""Messages as Celery tasks over a real broker, each end under its own user, a real worker between them."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError

from portal.grid import broker, queues
from portal.grid.blobs import BrokerBlobs
from portal.grid.transport import CeleryTransport, Replies
from training.federation import flower
from training.federation.messages import Request

SITES = ["AlphaMSP", "BetaMSP"]


@pytest.fixture(scope="module")
def hub(directory):
    others = tuple(queues.queue_of(site) for site in SITES)
    return queues.configure(Celery("hub", set_as_current=False), broker.url(directory, "hub"), "hub", others)


@pytest.fixture(scope="module")
def site(directory):
    """A hospital's worker, in a thread, under the hospital's own broker user."""
    name = "AlphaMSP"
    app = Celery("site")
    queues.configure(app, broker.url(directory, name), queues.queue_of(name))
    blobs = BrokerBlobs(broker.url(directory, name), name, SITES)
    answers = Replies(broker.url(directory, name))
    client = flower.client_app(name, lambda asked: ({"round": str(asked.round)}, np.full(3, 2, np.float32)))

    @app.task(name=queues.DELIVER, shared=False)  # a later worker has its own
    def deliver(message, message_id):
        answers.put(name, message_id, flower.deliver(client, blobs, base64.b64decode(message)))

    with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
        yield app


def transport(directory, hub):
    return CeleryTransport(hub, Replies(broker.url(directory, "hub")))


def request():
    return Request(kind="train", study="s", round=3, attempt=1, height=1)


def test_a_round_trip_over_the_broker(directory, hub, site):
    blobs = BrokerBlobs(broker.url(directory, "hub"), "hub", SITES)
    federation = flower.FlowerFederation(flower.TransportGrid(transport(directory, hub), blobs, SITES))
    replies, model = federation.train(request(), ["AlphaMSP"], 20, np.zeros(3, np.float32), {"AlphaMSP": 1})
    assert replies["AlphaMSP"].facts == {"round": "3"} and model is not None and model.tolist() == [2, 2, 2]


def test_a_site_that_is_away_is_a_missing_answer(directory, hub):
    blobs = BrokerBlobs(broker.url(directory, "hub"), "hub", SITES)
    federation = flower.FlowerFederation(flower.TransportGrid(transport(directory, hub), blobs, SITES))
    assert federation.ask(Request(kind="describe", study="s", round=0, attempt=0, height=0), ["BetaMSP"], 0.5) == {}


def test_a_hospital_cannot_send_to_another(directory, site):
    alpha = Celery("stray", set_as_current=False)
    url, own, other = broker.url(directory, "AlphaMSP"), queues.queue_of("AlphaMSP"), queues.queue_of("BetaMSP")
    queues.configure(alpha, url, own, (other,))
    with pytest.raises(OperationalError, match="(?i)permission"):
        alpha.send_task(queues.DELIVER, args=["x"], queue=queues.queue_of("BetaMSP"), retry=False)


def test_nothing_but_json_is_read(hub):
    assert hub.conf.accept_content == ["json"] and hub.conf.result_backend is None
    assert not hub.conf.worker_enable_remote_control and not hub.conf.task_create_missing_queues
