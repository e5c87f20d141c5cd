"""Each condition: what is said and breaks it denies, what is not said abstains, what cannot be checked obliges."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from consent import duo, local_terms
from consent.conditions import Moment, judge
from consent.decide import Use, decide_dataset
from consent.decision import Decision
from consent.errors import ConsentError
from consent.purpose import TO_ACCEPT, Asking, Ethics, Purpose
from consent.reasons import REASONS
from consent.terms import Condition, DatasetTerms
from tests.unit.consent.examples import study

MOMENT = Moment("2027-05-27", None)
USE = Use("2026-05-28", "2027-05-27")
APPROVED = Ethics(document=sha256(b"the approval").hexdigest(), until="2027-05-27")


def asked(**changes: Any) -> Purpose:
    return study(duo.GRU, asking=Asking(**changes))


@pytest.mark.parametrize(
    ("code", "values", "purpose", "verdict", "rule"),
    [
        (duo.NCU, (), study(duo.GRU), "permit", "modifier.kept"),
        (duo.NCU, (), study(duo.GRU, commercial=True), "deny", "modifier.NCU"),
        (duo.NCU, (), study(duo.GRU, for_profit=True), "permit", "modifier.kept"),
        (duo.NCU, (), study(duo.GRU, commercial=None), "deny", "modifier.use-unsaid"),
        (duo.NPU, (), study(duo.GRU), "permit", "modifier.kept"),
        (duo.NPU, (), study(duo.GRU, for_profit=True), "deny", "modifier.NPU"),
        (duo.NPU, (), study(duo.GRU, commercial=True), "permit", "modifier.kept"),
        (duo.NPU, (), study(duo.GRU, for_profit=None), "deny", "modifier.organisation-unsaid"),
        (duo.NPUNCU, (), study(duo.GRU), "permit", "modifier.kept"),
        (duo.NPUNCU, (), study(duo.GRU, commercial=True), "deny", "modifier.NPUNCU"),
        (duo.NPUNCU, (), study(duo.GRU, for_profit=True), "deny", "modifier.NPUNCU"),
        (duo.NPUNCU, (), study(duo.GRU, for_profit=None), "deny", "modifier.organisation-unsaid"),
        (duo.NPUNCU, (), study(duo.GRU, commercial=None), "deny", "modifier.use-unsaid"),
        (duo.NMDS, (), study(duo.GRU), "permit", "modifier.kept"),
        (duo.NMDS, (), study(duo.GRU, methods=True), "deny", "modifier.NMDS"),
        (duo.GSO, (), study(duo.GRU, genetic=True), "permit", "modifier.kept"),
        (duo.GSO, (), study(duo.GRU), "deny", "modifier.GSO"),
        (duo.NPOA, (), study(duo.GRU), "permit", "modifier.kept"),
        (duo.NPOA, (), study(duo.GRU, ancestry=True), "deny", "modifier.NPOA"),
        (duo.NPOA, (), study(duo.POA), "deny", "modifier.NPOA"),
        (duo.CC, (), study(duo.GRU, care=True), "permit", "modifier.kept"),
        (duo.RS, ("children only",), study(duo.GRU), "abstain", "modifier.needs-person"),
        (duo.GS, ("DE", "FR"), asked(countries=("DE",)), "permit", "modifier.kept"),
        (duo.GS, ("DE", "FR"), asked(countries=("DE", "FR")), "permit", "modifier.kept"),
        (duo.GS, ("DE", "FR"), asked(countries=("DE", "US")), "deny", "modifier.GS"),
        (duo.GS, ("DE", "FR"), study(duo.GRU), "abstain", "modifier.GS-unsaid"),
        (duo.GS, (), asked(countries=("DE",)), "abstain", "modifier.needs-person"),
        (duo.IS, ("AlphaMSP",), asked(institution="AlphaMSP"), "permit", "modifier.kept"),
        (duo.IS, ("AlphaMSP",), asked(institution="BetaMSP"), "deny", "modifier.IS"),
        (duo.IS, ("AlphaMSP",), asked(), "abstain", "modifier.IS-unsaid"),
        (duo.US, ("ada", "bob"), asked(users=("ada",)), "permit", "modifier.kept"),
        (duo.US, ("ada", "bob"), asked(users=("ada", "eve")), "deny", "modifier.US"),
        (duo.US, ("ada",), asked(), "abstain", "modifier.US-unsaid"),
        (duo.PS, ("heart-1",), asked(project="heart-1"), "permit", "modifier.kept"),
        (duo.PS, ("heart-1",), asked(project="heart-2"), "deny", "modifier.PS"),
        (duo.PS, ("heart-1",), asked(), "abstain", "modifier.PS-unsaid"),
        (duo.TS, ("12",), study(duo.GRU), "abstain", "modifier.needs-person"),
        (duo.MOR, ("2028-01-01",), asked(publishes_from="2028-01-01"), "permit", "modifier.accepted"),
        (duo.MOR, ("2028-01-01",), asked(publishes_from="2027-12-31"), "deny", "modifier.MOR"),
        (duo.MOR, ("2028-01-01",), asked(), "abstain", "modifier.MOR-unsaid"),
        (duo.IRB, (), asked(ethics=APPROVED), "permit", "modifier.kept"),
        (duo.IRB, (), asked(ethics=Ethics(document="11" * 32, until="2027-05-26")), "deny", "modifier.IRB"),
        (duo.IRB, (), study(duo.GRU), "abstain", "modifier.IRB-unsaid"),
        (local_terms.NAI, (), study(duo.GRU), "deny", "modifier.NAI"),
        (local_terms.NAI, (), study(duo.GRU, ai_training=False), "permit", "modifier.kept"),
        ("DUO:9999999", (), study(duo.GRU), "abstain", "modifier.needs-person"),
    ],
    ids=str,
)
def test_a_condition(code: str, values: tuple[str, ...], purpose: Purpose, verdict: str, rule: str) -> None:
    decision = judge(code, values, purpose, MOMENT)
    assert (decision.verdict, decision.rule) == (verdict, rule)
    assert rule in REASONS


@pytest.mark.parametrize("code", sorted(TO_ACCEPT))
def test_what_cannot_be_checked_before_the_fact_must_be_accepted(code: str) -> None:
    obligations = (Condition(term=code),)
    assert judge(code, (), study(duo.GRU), MOMENT) == Decision("abstain", "modifier.not-accepted", obligations)
    assert judge(code, (), asked(accepts=(code,)), MOMENT) == Decision("permit", "modifier.accepted", obligations)


@pytest.mark.parametrize(
    ("use", "months", "permits"),
    [
        (Use("2026-05-28", "2027-05-28"), "12", True),
        (Use("2026-05-28", "2027-05-29"), "12", False),
        (Use("2024-02-29", "2025-02-28"), "12", True),
        (Use("2024-02-29", "2025-03-01"), "12", False),
        (Use("2024-02-29", "2028-02-29"), "48", True),
        (Use("2024-01-31", "2024-02-29"), "1", True),
        (Use("2023-01-31", "2023-03-01"), "1", False),
        (Use("2026-05-28", "9999-99-99"), "12", False),
    ],
)
def test_a_time_limit_ends_on_the_same_day_of_the_month_or_its_last(use: Use, months: str, permits: bool) -> None:
    written = DatasetTerms(duo=(duo.NRES, duo.TS), conditions=(Condition(term=duo.TS, values=(months,)),))
    assert decide_dataset(written, study(duo.GRU), use).permits == permits


def test_a_permit_names_all_that_it_obliges_to() -> None:
    embargo = Condition(term=duo.MOR, values=("2028-01-01",))
    written = DatasetTerms(duo=(duo.HMB, duo.PUB, duo.RTN, duo.MOR), conditions=(embargo,))
    purpose = study(duo.HMB, asking=Asking(accepts=(duo.PUB, duo.RTN), publishes_from="2028-01-01"))
    decision = decide_dataset(written, purpose, USE)
    assert decision.permits
    assert decision.obligations == (Condition(term=duo.PUB), embargo, Condition(term=duo.RTN))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"institution": "two words"}, "purpose.name"),
        ({"users": ("ada\n",)}, "purpose.name"),
        ({"countries": ("Germany",)}, "purpose.country"),
        ({"accepts": (duo.NCU,)}, "purpose.accepts"),
        ({"accepts": ("publication required",)}, "purpose.accepts"),
        ({"countries": ("FR", "DE")}, "purpose.order"),
        ({"users": ("ada", "ada")}, "purpose.order"),
        ({"publishes_from": "2027-02-29"}, "purpose.day"),
    ],
    ids=str,
)
def test_who_asks_is_refused_where_it_makes_no_sense(fields: dict[str, Any], code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        Asking(**fields)
    assert refusal.value.code == code


def test_an_approval_until_no_day_is_refused() -> None:
    with pytest.raises(ConsentError, match=r"purpose\.day"):
        Ethics(document="11" * 32, until="2026-06-31")
