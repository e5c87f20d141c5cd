"""An error's HTTP answer: its status, and a problem that tells only what is for everybody."""

from __future__ import annotations

import pytest

from ledger.errors import Refused
from portal.errors import LedgerUnavailable, PortalError, TooMany, http_status, problem, sentence


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (LedgerUnavailable("portal.ledger-unavailable", "try again"), 503),
        (PortalError("portal.broker-unavailable", "try again"), 503),
        (TooMany("portal.too-many", "try again in a minute", retry_after=60), 429),
        (PortalError("portal.not-found", "there is none"), 404),
        (PortalError("patients.has-grant", "change that one"), 422),
        (Refused("consents.withdrawn", "this consent is withdrawn"), 422),
    ],
)
def test_the_status_of_an_error(error, status):
    assert http_status(error) == status
    assert problem(error)["status"] == status


def test_a_problem_has_the_stable_code_and_no_context():
    told = problem(Refused("consents.wrong-hospital", "of the own hospital only", commitment="ab" * 32))
    assert told == {
        "type": "urn:covenant:consents.wrong-hospital",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "of the own hospital only",
    }


def test_a_message_becomes_a_sentence():
    assert sentence(PortalError("patients.has-grant", "change that one")) == "Change that one."
