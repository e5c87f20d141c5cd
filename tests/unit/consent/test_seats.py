"""A purpose judged over what the members hold of who asks and who computes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from consent import duo
from consent.purpose import Asking, Purpose
from consent.seats import NOWHERE, Seat, other_country, other_sector, seated

US, DE, SHOP = Seat("US", "public"), Seat("DE", "non-profit"), Seat("US", "commercial")
HEALTH = Purpose.of(duo.HMB, commercial=False)


@pytest.mark.parametrize(
    ("asker", "worker", "named", "countries"),
    [
        (US, DE, (), ("DE", "US")),
        (US, US, (), ("US",)),
        (US, DE, ("FR",), ("DE", "FR", "US")),
        (NOWHERE, DE, ("US",), ()),
        (US, NOWHERE, ("US",), ()),
        (NOWHERE, NOWHERE, ("DE",), ()),
    ],
)
def test_countries_are_those_that_the_members_hold_and_more_where_the_asker_says_so(asker, worker, named, countries):
    judged = seated(replace(HEALTH, asking=Asking(countries=named)), asker=asker, worker=worker)
    assert judged.asking == Asking(countries=countries)


@pytest.mark.parametrize(
    ("asker", "said", "judged"),
    [
        (US, None, False),
        (US, False, False),
        (US, True, True),
        (DE, None, False),
        (SHOP, None, True),
        (SHOP, False, True),
        (NOWHERE, None, None),
        (NOWHERE, False, None),
        (NOWHERE, True, True),
    ],
)
def test_who_works_for_profit_is_what_the_members_hold_or_worse(asker, said, judged):
    assert seated(replace(HEALTH, for_profit=said), asker=asker, worker=SHOP).for_profit is judged


def test_nothing_else_of_a_purpose_is_touched():
    asking = Asking(institution="A", users=("u",), project="p", accepts=(duo.PUB,), publishes_from="2027-01-01")
    purpose = Purpose.of(duo.DS, ["MONDO:0005267"], commercial=True, for_profit=False, genetic=True, asking=asking)
    judged = seated(purpose, asker=US, worker=US)
    assert judged == replace(purpose, asking=replace(asking, countries=("US",)))


@pytest.mark.parametrize(
    ("named", "asker", "contrary"),
    [(("DE", "US"), US, False), (("DE",), US, True), ((), US, False), (("DE",), NOWHERE, False)],
)
def test_a_country_that_the_members_hold_is_among_those_named(named, asker, contrary):
    assert other_country(replace(HEALTH, asking=Asking(countries=named)), asker) is contrary
    assert other_country(HEALTH, asker) is False


@pytest.mark.parametrize(
    ("said", "asker", "contrary"),
    [
        (True, US, True),
        (False, US, False),
        (False, SHOP, True),
        (True, SHOP, False),
        (None, SHOP, False),
        (False, NOWHERE, False),
        (True, NOWHERE, False),
    ],
)
def test_a_word_about_profit_is_held_against_the_members(said, asker, contrary):
    assert other_sector(replace(HEALTH, for_profit=said), asker) is contrary
