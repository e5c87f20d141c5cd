"""A newer text never upgrades an old yes: the old one goes on for what its own version said, and no more."""

from __future__ import annotations

import pytest

from consent import duo
from consent.decide import decide, decide_all
from consent.decision import Decision
from consent.occasion import NO_STUDY, Occasion
from consent.versions import Lapse
from tests.unit.consent.examples import HEART, IN_2026, Patient, study

PATIENT, STUDY = Patient(), study(duo.DS, [HEART])
BEFORE, AFTER = IN_2026 - 2000, IN_2026 - 500
SINCE = IN_2026 - 1000
OVER = Decision("deny", "consent.superseded")


@pytest.mark.parametrize(
    ("rule", "agreed", "permitted"),
    [
        ("all", None, True),
        ("all", AFTER, True),
        ("no-new-studies", BEFORE, True),
        ("no-new-studies", SINCE - 1, True),
        ("no-new-studies", SINCE, False),
        ("no-new-studies", AFTER, False),
        ("no-new-studies", None, False),
        ("nothing", BEFORE, False),
        ("nothing", None, False),
    ],
)
def test_what_an_old_version_still_permits(rule, agreed, permitted):
    view = PATIENT.view(lapse=Lapse(SINCE, rule))
    decision = decide(view, STUDY, IN_2026, Occasion("s", agreed))
    assert decision == (Decision("permit", "permission.disease") if permitted else OVER)
    assert decide_all([view, PATIENT.view()], STUDY, IN_2026, Occasion("s", agreed))[1].permits


def test_the_rule_bites_from_the_moment_that_the_newer_text_stands():
    view = PATIENT.view(lapse=Lapse(IN_2026, "nothing"))
    assert decide(view, STUDY, IN_2026 - 1).permits and decide(view, STUDY, IN_2026, NO_STUDY) == OVER
