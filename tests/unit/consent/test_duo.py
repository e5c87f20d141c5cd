"""The ontology as its release has it; old spellings and old codes are read, and refused where they are written anew."""

from __future__ import annotations

import pytest

from consent import canonical, duo, duo_release, local_terms, terms
from consent.errors import ConsentError
from consent.terms import Condition, DatasetTerms

# id and shorthand, in the order of the ontology's own duo.csv (github.com/EBISPOT/DUO at commit 726b06e)
RELEASED = """
    21 IRB, 06 HMB, 19 PUB, 26 US, 44 NPOA, 20 COL, 46 NCU, 18 NPUNCU, 12 RS, 25 TS, 04 NRES, 45 NPU, 11 POA, 24 MOR,
    16 GSO, 29 RTN, 43 CC, 15 NMDS, 28 IS, 22 GS, 07 DS, 42 GRU, 27 PS
"""


def test_the_terms_are_those_of_the_release() -> None:
    released = {f"DUO:00000{pair.split()[0]}": pair.split()[1] for pair in RELEASED.replace("\n", " ").split(",")}
    assert {code: row.shorthand for code, row in {**duo.PERMISSIONS, **duo.MODIFIERS}.items()} == released
    assert (len(duo.PERMISSIONS), len(duo.MODIFIERS)) == (5, 18)


def test_not_for_profit_stands_under_not_for_profit_and_not_commercial() -> None:
    below = {row.shorthand for row in duo.MODIFIERS.values() if duo.NPUNCU in row.parents}
    assert below == {"NPU", "NCU"}


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("DUO:0000042", ("DUO:0000042",)),
        ("DUO:00000044", ("DUO:0000044",)),
        ("DUO:0000005", ("DUO:0000042", "DUO:0000043")),
        ("DUO:0000014", ()),
    ],
)
def test_old_codes_are_read_as_what_they_mean_today(code: str, meant: tuple[str, ...]) -> None:
    assert duo.read(code) == meant


@pytest.mark.parametrize("code", ["DUO:0000002", "DUO:0000003"])
def test_an_old_code_without_a_meaning_today_is_refused_where_it_is_read(code: str) -> None:
    with pytest.raises(ConsentError, match=r"duo\.obsolete"):
        duo.read(code)


@pytest.mark.parametrize(
    ("written", "code", "remedy"),
    [
        ("general research use", "duo.unknown", "write its code, DUO:0000042"),
        ("GRU", "duo.unknown", "write its code, DUO:0000042"),
        ("No Relinking", "duo.unknown", "write its code, COVENANT:0000003"),
        ("DUO:0000031", "duo.unknown", "choose one of its codes"),  # a kind of investigation
        ("DUO:0000005", "duo.obsolete", "use DUO:0000042 and DUO:0000043"),
        ("DUO:0000014", "duo.obsolete", "use a current term"),
    ],
)
def test_a_label_or_an_old_code_is_refused_and_the_code_to_write_is_named(written: str, code: str, remedy: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        duo.term(written)
    assert refusal.value.code == code
    assert remedy in refusal.value.message


def test_our_own_terms_say_that_they_are_ours() -> None:
    assert all(code.startswith("COVENANT:") for code in local_terms.LOCAL)
    assert local_terms.LOCAL[local_terms.NORELINK].hl7 == "NORELINK"
    assert not local_terms.LOCAL.keys() & {row.code for row in (*duo_release.PERMISSIONS, *duo_release.MODIFIERS)}


@pytest.mark.parametrize(
    ("term", "values", "code"),
    [
        (duo.GS, (), "duo.value-missing"),
        (duo.GS, ("Germany",), "duo.value-malformed"),
        (duo.GS, ("UK",), "duo.value-malformed"),  # the code is GB
        (duo.GS, ("FR", "DE"), "duo.value-malformed"),
        (duo.GS, ("DE", "DE"), "duo.value-malformed"),
        (duo.TS, (), "duo.value-missing"),
        (duo.TS, ("0",), "duo.value-malformed"),
        (duo.TS, ("12.5",), "duo.value-malformed"),
        (duo.TS, ("1201",), "duo.value-malformed"),
        (duo.TS, ("12", "24"), "duo.value-malformed"),
        (duo.MOR, ("soon",), "duo.value-malformed"),
        (duo.MOR, ("2027-02-29",), "duo.value-malformed"),
        (duo.IS, ("two words",), "duo.value-malformed"),
        (duo.RS, (" ",), "duo.value-malformed"),
        (duo.NCU, ("yes",), "duo.value-unwanted"),
        (local_terms.NORELINK, ("DE",), "duo.value-unwanted"),
        (duo.HMB, (), "duo.not-modifier"),
        ("DUO:00000044", (), "duo.not-modifier"),
        ("genetic studies only", (), "duo.unknown"),
        ("DUO:0000014", (), "duo.obsolete"),
    ],
    ids=str,
)
def test_a_condition_with_the_wrong_value_is_refused(term: str, values: tuple[str, ...], code: str) -> None:
    with pytest.raises(ConsentError) as refusal:
        Condition(term=term, values=values)
    assert refusal.value.code == code
    with pytest.raises(ConsentError) as refusal:
        canonical.decode_as(canonical.encode({"term": term, "values": list(values)}), Condition)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("codes", "conditions", "code"),
    [
        ((duo.HMB, duo.GS), (), "duo.value-missing"),
        ((duo.HMB,), (Condition(term=duo.TS, values=("12",)),), "duo.value-unwanted"),
        ((duo.HMB, duo.NCU), (Condition(term=duo.NCU),), "duo.value-unwanted"),
        ((duo.HMB, duo.TS), (Condition(term=duo.TS, values=("12",)),) * 2, "duo.value-twice"),
        ((duo.HMB, "DUO:0000005"), (), "duo.obsolete"),
        (("health research",), (), "duo.unknown"),
    ],
    ids=str,
)
def test_a_new_data_sets_terms_must_be_whole(
    codes: tuple[str, ...], conditions: tuple[Condition, ...], code: str
) -> None:
    with pytest.raises(ConsentError) as refusal:
        terms.check_written(DatasetTerms(duo=codes, conditions=conditions))
    assert refusal.value.code == code


def test_a_new_data_sets_whole_terms_pass() -> None:
    conditions = (Condition(term=duo.GS, values=("DE",)), Condition(term=duo.TS, values=("12",)))
    terms.check_written(DatasetTerms(duo=(duo.HMB, duo.NCU, duo.GS, duo.TS), conditions=conditions))


def test_two_conditions_on_one_thing_leave_what_both_allow() -> None:
    rule = terms.Terms((duo.GRU,), (duo.GS, duo.TS), (), ((duo.GS, ("DE", "FR")), (duo.TS, ("24",))))
    more = (
        Condition(term=duo.GS, values=("FR", "US")),
        Condition(term=duo.MOR, values=("2027-01-01",)),
        Condition(term=duo.MOR, values=("2028-01-01",)),
        Condition(term=duo.TS, values=("6",)),
    )
    assert dict(terms.narrowed(rule, more).values) == {
        duo.GS: ("FR",),
        duo.MOR: ("2028-01-01",),
        duo.TS: ("6",),
    }
