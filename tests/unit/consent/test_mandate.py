"""Mandates and ages: what may be written down, and what a grant may not tell."""

from __future__ import annotations

from typing import Any

import pytest

from consent import canonical, grant, keys
from consent.errors import CanonicalRefused, ConsentError, GrantRefused
from consent.mandate import Age, Mandate, reaches
from tests.unit.consent.examples import Patient
from tests.unit.consent.test_voices import age, mandate

PATIENT = Patient()
CHILD = age("2023-05-10", "2027-05-10")


@pytest.mark.parametrize(
    ("born", "years", "leap_day", "day"),
    [
        ("2008-02-29", 18, "03-01", "2026-03-01"),
        ("2008-02-29", 18, "02-28", "2026-02-28"),
        ("2008-02-29", 16, "02-28", "2024-02-29"),
        ("2008-12-31", 18, "02-28", "2026-12-31"),
    ],
)
def test_the_day_an_age_is_reached(born: str, years: int, leap_day: Any, day: str) -> None:
    assert reaches(born, years, leap_day) == day


def sign(age: Age | None = None, mandate: Mandate | None = None, **changed: Any) -> grant.Evidence:
    """A year from January 2026, unless `changed`."""
    days = {name: changed.pop(name) for name in ("starts", "ends") if name in changed}
    details = PATIENT.details(age=age, mandate=mandate, **({"starts": "2026-01-15", "ends": "2027-01-31"} | days))
    statement = PATIENT.statement(details, **({"valid_from": "2026-01", "valid_until": "2027-01"} | changed))
    return grant.new_grant(statement, details, PATIENT.key)


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda: sign(None, mandate()), "mandate.age-missing"),
        (lambda: sign(CHILD, mandate(presets=("cancer",))), "mandate.scope"),
        (lambda: sign(CHILD, mandate(ends="2026-01-14T23:00:00+00:00")), "mandate.ended"),
        (lambda: sign(CHILD, mandate(ends="2026-01-15T00:00:00+00:00")), "mandate.ended"),  # it never holds on that day
        (lambda: sign(age("2020-01-01", "2026-01-10"), mandate()), "mandate.of-age"),
        (lambda: mandate(ends="2020-01-01T00:00:00+01:00"), "mandate.reversed"),
        (lambda: age("2035-01-01", "2034-01-01"), "mandate.ages"),
        (lambda: mandate(ends="2040-01-01T00:00:00"), "periods.no-zone"),
        (lambda: mandate(ends="2040-02-30T00:00:00+01:00"), "periods.malformed"),
        (lambda: mandate(ends="2040-01-01T00:00:00Z"), "periods.malformed"),
    ],
)
def test_what_no_mandate_allows_is_refused(made: Any, code: str) -> None:
    with pytest.raises(ConsentError) as refused:
        made()
    assert refused.value.code == code


@pytest.mark.parametrize("until", ["2027-04", "2027-05", "2027-06"])
def test_a_last_month_does_not_tell_a_birthday(until: str) -> None:
    late = {"valid_until": until, "ends": f"{until}-01"}
    with pytest.raises(GrantRefused, match=r"mandate\.tells-age"):
        sign(CHILD, mandate(), **late)
    with pytest.raises(GrantRefused, match=r"mandate\.tells-age"):
        sign(CHILD, None, **late)
    with pytest.raises(GrantRefused, match=r"mandate\.tells-age"):
        sign(None, mandate(office="representative", ends="2027-05-10T00:00:00+01:00"), **late)
    assert sign(None, None, **late)


def test_a_span_that_all_are_offered_may_end_where_it_will() -> None:
    assert sign(age("2023-01-20", "2027-01-20"), mandate())


def test_nothing_of_mandate_or_age_stands_in_what_endorsers_see() -> None:
    plain, with_mandate = sign(), sign(CHILD, mandate())
    one, other = (grant.read_statement(evidence.statement) for evidence in (plain, with_mandate))
    same = {name for name in one.__struct_fields__ if getattr(one, name) == getattr(other, name)}
    assert set(one.__struct_fields__) - same == {"details_digest"}
    assert with_mandate.key == keys.public_bytes(PATIENT.key)


def test_a_mandate_is_read_strictly() -> None:
    written = canonical.encode(PATIENT.details(age=CHILD, mandate=mandate()))
    assert canonical.decode_as(written, grant.Details).mandate == mandate()
    for wrong in (b'"office":"friend"', b'"office":"guardian","x":1'):
        with pytest.raises(CanonicalRefused):
            canonical.decode_as(written.replace(b'"office":"guardian"', wrong), grant.Details)
