"""What nobody but the asker vouches for is named; what the members hold is not called a promise."""

from __future__ import annotations

import pytest

from consent.seats import NOWHERE, Seat
from portal.access.promises import promises

KIND = "What kind of research it is, and what it leaves out."
COMPANY = "That none of it is for gain, though the members hold that it is a company. Most patients allow it only so."
FREE = "That none of it is for gain. Most patients allow it only so."


@pytest.mark.parametrize(
    ("commercial", "held", "said"),
    [
        (False, Seat("US", "public"), [KIND, FREE]),
        (False, NOWHERE, [KIND, FREE]),
        (False, Seat("US", "commercial"), [KIND, COMPANY]),
        (True, Seat("US", "commercial"), [KIND]),
        (None, Seat("US", "commercial"), [KIND]),
    ],
)
def test_no_gain_is_a_promise_and_a_company_that_makes_it_is_named_one(commercial, held, said):
    assert promises({"commercial": commercial, "asking": None}, held) == said


def test_users_project_ethics_and_obligations_are_promises():
    ethics = {"document": "ab" * 32, "until": "2030-01-01"}
    asking = {"users": ["a", "b"], "project": "p", "ethics": ethics, "accepts": ["DUO:0000029"], "countries": ["DE"]}
    assert promises({"asking": asking}, NOWHERE)[1:] == [
        "That these alone will use it: a, b.",
        "That it belongs to the project p.",
        f"That ethics was approved until 2030-01-01. Ask for the document and compare its SHA-256: {'ab' * 32}.",
        "That it will keep what it has accepted.",
    ]
