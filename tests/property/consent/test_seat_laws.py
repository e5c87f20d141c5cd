"""What holds of every purpose once it is judged over what the members hold of who asks and who computes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from consent import duo
from consent.conditions import Moment
from consent.decide import judge_terms
from consent.decision import openness
from consent.purpose import Asking, Purpose
from consent.seats import NOWHERE, Seat, seated
from consent.terms import Condition, Terms
from tests.property.consent.test_decision_laws import COUNTRIES, MANY, conditions, moments, purposes, terms

SECTORS = ["commercial", "non-profit", "public"]
known = st.builds(Seat, st.sampled_from(COUNTRIES), st.sampled_from(SECTORS))
seats = st.builds(Seat, st.none() | st.sampled_from(COUNTRIES), st.none() | st.sampled_from(SECTORS))


@MANY
@given(terms, purposes(), moments, seats, seats)
def test_no_word_about_place_or_profit_opens_what_silence_leaves_closed(
    rule: Terms, purpose: Purpose, moment: Moment, asker: Seat, worker: Seat
) -> None:
    silent = replace(purpose, for_profit=None, asking=replace(purpose.asking or Asking(), countries=()))
    said, unsaid = (seated(one, asker=asker, worker=worker) for one in (purpose, silent))
    assert openness(judge_terms(rule, said, moment)) <= openness(judge_terms(rule, unsaid, moment))


@MANY
@given(conditions(duo.GS), st.booleans(), purposes(), moments, st.tuples(seats, seats))
def test_a_region_is_kept_only_where_both_sit_in_it_and_profit_only_where_nobody_seeks_it(
    region: Condition, strict: bool, purpose: Purpose, moment: Moment, both: tuple[Seat, Seat]
) -> None:
    asker, worker = both
    rule = Terms((duo.NRES,), (duo.GS, duo.NPU) if strict else (duo.GS,), (), ((duo.GS, region.values),))
    if judge_terms(rule, seated(purpose, asker=asker, worker=worker), moment).permits:
        assert {asker.country, worker.country} <= set(region.values)
        assert not strict or asker.sector in {"non-profit", "public"}


@MANY
@given(terms, purposes(), moments, st.tuples(known, known), st.sampled_from(["asker", "worker", "both"]))
def test_what_is_permitted_where_nobody_knows_who_sits_where_hangs_on_no_seat(
    rule: Terms, purpose: Purpose, moment: Moment, both: tuple[Seat, Seat], unknown: str
) -> None:
    asker, worker = both
    unsaid = seated(
        purpose,
        asker=asker if unknown == "worker" else NOWHERE,
        worker=worker if unknown == "asker" else NOWHERE,
    )
    if judge_terms(rule, unsaid, moment).permits:
        assert judge_terms(rule, seated(purpose, asker=asker, worker=worker), moment).permits
