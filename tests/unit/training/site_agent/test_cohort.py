"""A cohort has as many patients as the plan asks for, and never fewer than this hospital's own code allows."""

from __future__ import annotations

import uuid
from types import SimpleNamespace

import pytest

from consent.cohort_tree import CohortTree
from training.site.cohort import MINIMUM, freeze
from training.site.stores import TRAINING, Attempt

ATTEMPT = Attempt(str(uuid.UUID(int=1)), 1, 1, TRAINING)
SEED = b"s" * 32


def frozen(count, minimum):
    admitted = [SimpleNamespace(patient=f"{n}", commitment=f"{n:064x}", secret=bytes([n]) * 32) for n in range(count)]
    return freeze(admitted, ATTEMPT, minimum=minimum, seed=SEED, height=7)


@pytest.mark.parametrize("lowered", [0, 1, MINIMUM - 1])
def test_a_plan_does_not_lower_the_hospitals_own_floor(lowered):
    """Not even one that a majority's changed contracts let through."""
    assert MINIMUM == 20
    assert frozen(MINIMUM - 1, lowered) is None
    assert len(frozen(MINIMUM, lowered).members) == MINIMUM


def test_a_plan_may_ask_for_more():
    assert frozen(29, 30) is None
    assert len(frozen(30, 30).members) == 30


def test_the_root_is_padded_to_the_top_of_its_bucket():
    """So that it tells the bucket and nothing below it."""
    cohort = frozen(25, MINIMUM)
    assert (cohort.bucket, cohort.opened_block) == ("20-49", 7)
    assert cohort.root != CohortTree([member.key for member in cohort.members]).root.hex()
    assert frozen(25, MINIMUM).root == cohort.root
