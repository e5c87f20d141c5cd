"""The Grid never trusts delivery, and an answer counts only from the one who was asked."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from consent.errors import CovenantError
from ledger.contracts.fields import Code
from training.errors import TrainingError
from training.federation import flower
from training.federation.messages import Request, is_code
from training.federation.transport import LocalTransport, MemoryBlobs

SITES = ["AlphaMSP", "BetaMSP"]
BASE = np.zeros(4, np.float32)


def request(kind: str = "train", number: int = 1) -> Request:
    return Request(kind=kind, study="s", round=number, attempt=1, height=9)  # type: ignore[arg-type]


def site(name: str, blobs: MemoryBlobs, handle=None):
    handle = handle or (lambda asked: ({"round": str(asked.round)}, np.ones(4, np.float32)))
    app = flower.client_app(name, handle)
    return lambda data: flower.deliver(app, blobs, data)


class Lossy(LocalTransport):
    """Loses the first `lost` messages to each site; delivers the others twice."""

    def __init__(self, sites, lost):
        super().__init__(sites)
        self.lost = dict.fromkeys(sites, lost)
        self.sent = 0

    def send(self, site, message_id, message, seconds):
        self.sent += 1
        if self.lost[site]:
            self.lost[site] -= 1
            return
        super().send(site, message_id, message, seconds)
        super().send(site, message_id, message, seconds)


def federation(transport, blobs, resend=0.05):
    return flower.FlowerFederation(flower.TransportGrid(transport, blobs, SITES, resend=resend))


def test_all_answers_make_a_model():
    blobs = MemoryBlobs()
    replies, model = federation(LocalTransport({name: site(name, blobs) for name in SITES}), blobs).train(
        request(number=7), SITES, 5, BASE, {"AlphaMSP": 1, "BetaMSP": 3}
    )
    assert {name: reply.facts for name, reply in replies.items()} == dict.fromkeys(SITES, {"round": "7"})
    assert model is not None and model.tolist() == [1.0] * 4


def test_a_lost_message_is_sent_again_within_the_deadline():
    blobs = MemoryBlobs()
    transport = Lossy({name: site(name, blobs) for name in SITES}, lost=2)
    replies, model = federation(transport, blobs).train(request(), SITES, 5, BASE, dict.fromkeys(SITES, 1))
    assert set(replies) == set(SITES) and model is not None and transport.sent == 6


def test_without_every_answer_there_is_no_model():
    blobs = MemoryBlobs()
    transport = Lossy({name: site(name, blobs) for name in SITES}, lost=0)
    transport.lost["BetaMSP"] = 10**6
    replies, model = federation(transport, blobs).train(request(), SITES, 0.3, BASE, dict.fromkeys(SITES, 1))
    assert set(replies) == {"AlphaMSP"} and model is None


def test_a_refusal_travels_as_a_code_and_makes_no_model():
    def refuse(_):
        raise TrainingError("site.wrong-code", "another code is installed here")

    blobs = MemoryBlobs()
    sites = {"AlphaMSP": site("AlphaMSP", blobs), "BetaMSP": site("BetaMSP", blobs, refuse)}
    replies, model = federation(LocalTransport(sites), blobs).train(request(), SITES, 5, BASE, dict.fromkeys(SITES, 1))
    assert replies["BetaMSP"].code == "site.wrong-code" and model is None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("patient Canary McCanary, row 17"), "site.failed"),
        (TrainingError("site.record-missing", "Canary: 1 patient of the cohort has no record"), "site.record-missing"),
    ],
)
def test_nothing_of_an_error_travels_but_its_code(error, code):
    def leak(_):
        raise error

    blobs = MemoryBlobs()
    seen = []

    class Watched(LocalTransport):
        def receive(self, site, message_id):
            data = super().receive(site, message_id)
            seen.append(data or b"")
            return data

    transport = Watched({name: site(name, blobs, leak) for name in SITES})
    replies = federation(transport, blobs).ask(request("cohort"), SITES, 5)
    assert {reply.code for reply in replies.values()} == {code}
    assert b"Canary" not in b"".join(seen)


@pytest.mark.parametrize("code", ["Patient McCanary, row 17", "", "A.B", "x" * 64, "site.failed\n"])
def test_a_code_that_is_no_code_becomes_one(code):
    def odd(_):
        raise TrainingError(code, "whatever")

    blobs = MemoryBlobs()
    transport = LocalTransport({name: site(name, blobs, odd) for name in SITES})
    replies = federation(transport, blobs).ask(request("cohort"), SITES, 5)
    assert {reply.code for reply in replies.values()} == {"site.code-odd"}


@pytest.mark.parametrize(
    "code", ["site.wrong-code", "site.code-odd", "A.B", "", "-a", "0", "x" * 63, "x" * 64, "a b", "a_b", "a\n", "é"]
)
def test_what_counts_as_a_code_is_what_the_contracts_take_as_a_reason(code):
    try:
        taken = msgspec.convert(code, Code) == code
    except msgspec.ValidationError:
        taken = False
    assert is_code(code) == taken


def test_an_answer_that_is_no_message_is_that_sites_failure():
    blobs = MemoryBlobs()
    sites = {"AlphaMSP": site("AlphaMSP", blobs), "BetaMSP": lambda data: b"\xff\xff"}
    replies, model = federation(LocalTransport(sites), blobs).train(request(), SITES, 5, BASE, dict.fromkeys(SITES, 1))
    assert replies["BetaMSP"].code == "site.failed" and replies["AlphaMSP"].code is None and model is None


def test_a_reply_in_anothers_name_is_a_refusal():
    blobs = MemoryBlobs()
    sites = {"AlphaMSP": site("AlphaMSP", blobs), "BetaMSP": site("AlphaMSP", blobs)}
    replies = federation(LocalTransport(sites), blobs).ask(request("cohort"), SITES, 5)
    assert replies["AlphaMSP"].code is None and replies["BetaMSP"].code == "site.impostor"


def test_an_answer_to_another_question_counts_as_none():
    blobs, kept = MemoryBlobs(), {}

    class Replaying(LocalTransport):
        def receive(self, site, message_id):
            return kept.setdefault(site, super().receive(site, message_id))

    grid = federation(Replaying({name: site(name, blobs) for name in SITES}), blobs)
    assert set(grid.ask(request("cohort"), SITES, 1)) == set(SITES)
    assert grid.ask(request("cohort", 2), SITES, 0.2) == {}


def test_the_array_travels_beside_the_message():
    blobs, sizes = MemoryBlobs(), []
    big = np.arange(50_000, dtype=np.float32)

    class Measured(LocalTransport):
        def send(self, site, message_id, message, seconds):
            sizes.append(len(message))
            super().send(site, message_id, message, seconds)

    sites = {name: site(name, blobs, lambda _: ({}, big)) for name in SITES}
    _, model = federation(Measured(sites), blobs).train(request(), SITES, 5, big, dict.fromkeys(SITES, 1))
    assert model is not None and max(sizes) < 1000


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"{}"])
def test_bytes_that_are_no_message_are_refused(data):
    with pytest.raises(CovenantError, match=r"message\.malformed"):
        flower.unpack(data, MemoryBlobs())


def test_flower_and_rounds_import_no_torch_and_send_no_telemetry():
    program = (
        "import sys, os, training.federation.flower, training.federation.rounds, training.federation.release;"
        "assert 'torch' not in sys.modules, 'torch';"
        "assert os.environ['FLWR_TELEMETRY_ENABLED'] == '0'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=os.getcwd(), env={"PATH": os.environ["PATH"]})


def test_only_one_package_imports_flower():
    found = subprocess.run(
        ["grep", "-rlE", r"^\s*(import|from) flwr", "--include=*.py", "consent", "ledger", "training", "portal"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {file.rpartition("/")[0] for file in found.stdout.split()} == {"training/federation/flower"}
