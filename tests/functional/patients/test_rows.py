"""A row of a data set belongs to one patient, or to nobody: a consent never reaches another person's record."""

from __future__ import annotations

import pytest

from portal.grid.stores import owners
from portal.patients import services

pytestmark = pytest.mark.django_db


def test_each_patient_has_their_own_row():
    first, second = services.enrol([("r1",), ("r2",)])
    assert owners({"r1", "r2", "r3"}) == {str(first.pk): "r1", str(second.pk): "r2"}


def test_a_row_that_two_entries_claim_is_left_out():
    services.enrol([("r1",), ("r1",)])
    (alone,) = services.enrol([("r2",)])
    assert owners({"r1", "r2"}) == {str(alone.pk): "r2"}


def test_a_patient_with_several_rows_is_left_out():
    services.enrol([("r1", "r2")])
    assert owners({"r1", "r2"}) == {}
