"""The terms of a data set or a consent: permissions, conditions with their values, diseases.

Some conditions mean nothing without a value (a geographical restriction without a country), and most can take none.

    >>> Condition(term="DUO:0000022", values=("DE", "FR")).values
    ('DE', 'FR')
    >>> Condition(term="DUO:0000022")
    Traceback (most recent call last):
    consent.errors.ConsentError: duo.value-missing: geographical restriction (GS) needs two-letter country codes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from msgspec import Meta

from consent import canonical, duo, periods
from consent.countries import COUNTRIES
from consent.errors import ConsentError

MOST_VALUES = 32
LONGEST_VALUE = 400
MOST_MONTHS = 1200

Value = Annotated[str, Meta(min_length=1, max_length=LONGEST_VALUE)]
Values = Annotated[tuple[Value, ...], Meta(max_length=MOST_VALUES)]


@dataclass(frozen=True, slots=True)
class Kind:
    """What values a condition takes: in words, the test of one, and whether several may stand."""

    words: str
    is_good: Callable[[str], bool]
    several: bool = True


def is_name(value: str) -> bool:
    """Whether `value` can name an institution, a user or a project: an MSP id, an ORCID, a UUID, an e-mail address."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9@:/._+-]{0,127}", value) is not None


def is_text(value: str) -> bool:
    return bool(value.strip())


def is_months(value: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,3}", value) is not None and int(value) <= MOST_MONTHS


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        duo.RS: Kind("the restriction in words", is_text, several=False),
        duo.GS: Kind("two-letter country codes", COUNTRIES.__contains__),
        duo.IS: Kind("names of institutions", is_name),
        duo.US: Kind("names of users", is_name),
        duo.PS: Kind("names of projects", is_name),
        duo.TS: Kind(f"a number of months from 1 to {MOST_MONTHS}", is_months, several=False),
        duo.MOR: Kind("a day, YYYY-MM-DD", periods.is_day, several=False),
    }
)


class Condition(canonical.Document, frozen=True, kw_only=True):
    """One modifier, or one of our own terms, with its values, sorted, each once.

    Raises ConsentError `duo.unknown`, `duo.obsolete`, `duo.not-modifier`, `duo.value-missing`, `duo.value-unwanted`,
    `duo.value-malformed`.
    """

    term: str
    values: Values = ()

    def __post_init__(self) -> None:
        known = duo.term(self.term)
        if known.code not in duo.CONDITIONS or known.code != self.term:
            raise ConsentError("duo.not-modifier", f"{self.term} is no modifier: write it among the permissions")
        name, kind = f"{known.label} ({known.shorthand})", KINDS.get(self.term)
        if kind is None:
            if self.values:
                raise ConsentError("duo.value-unwanted", f"{name} takes no value: leave it out", term=self.term)
        elif not self.values:
            raise ConsentError("duo.value-missing", f"{name} needs {kind.words}", term=self.term)
        elif not all(map(kind.is_good, self.values)) or (len(self.values) > 1 and not kind.several):
            raise ConsentError("duo.value-malformed", f"{name} takes {kind.words}, and nothing else", term=self.term)
        elif self.values != tuple(sorted(set(self.values))):
            raise ConsentError("duo.value-malformed", f"list the values of {name} once each, in order", term=self.term)


class DatasetTerms(canonical.Document, frozen=True, kw_only=True):
    """A data set's own terms as its owner registered them; they may be old, and are read as they mean today.

    `duo`: codes, permissions and modifiers. `diseases`: Mondo codes of disease specific terms. `conditions`: those of
    the modifiers that need a value.
    """

    duo: tuple[str, ...]
    diseases: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be done: DUO permissions (any of them suffices), conditions (each of them binds), Mondo diseases.

    `modifiers`: codes. `values`: the values of those that need one, by code.
    """

    permissions: tuple[str, ...]
    modifiers: tuple[str, ...] = ()
    diseases: tuple[str, ...] = ()
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()


def of_dataset(written: DatasetTerms) -> Terms:
    """The terms as they mean today, sorted; raises ConsentError `duo.unknown`, `duo.obsolete`."""
    codes = {code for one in written.duo for code in duo.read(one)} | {one.term for one in written.conditions}
    return Terms(
        tuple(sorted(codes & duo.PERMISSIONS.keys())),
        tuple(sorted(codes & duo.CONDITIONS.keys())),
        written.diseases,
        values_of(written.conditions),
    )


def narrowed(terms: Terms, conditions: Sequence[Condition]) -> Terms:
    """`terms` under further `conditions`. Where both give values to one modifier, only what both allow is left."""
    if not conditions:
        return terms
    values = dict(terms.values)
    for code, more in values_of(conditions):
        values[code] = both(code, values[code], more) if code in values else more
    modifiers = {*terms.modifiers, *(one.term for one in conditions)}
    return Terms(terms.permissions, tuple(sorted(modifiers)), terms.diseases, tuple(sorted(values.items())))


def values_of(conditions: Iterable[Condition]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The values by code, sorted; of two conditions with one code, only what both allow."""
    found: dict[str, tuple[str, ...]] = {}
    for one in conditions:
        if one.values:
            found[one.term] = both(one.term, found[one.term], one.values) if one.term in found else one.values
    return tuple(sorted(found.items()))


def both(code: str, some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """What two lists of values of one modifier leave together: the shorter time, the later day, the common names."""
    if code == duo.TS:
        return (str(min(int(value) for value in (*some, *others))),)
    if code == duo.MOR:
        return (max(*some, *others),)
    if code == duo.RS:
        return tuple(sorted({*some, *others}))
    return tuple(value for value in some if value in others)


def check_written(written: DatasetTerms) -> None:
    """Return quietly if a new data set may be registered under these terms.

    Raises ConsentError `duo.unknown`, `duo.obsolete`, `duo.value-missing`, `duo.value-unwanted` (a value for a modifier
    that is not among the terms), `duo.value-twice`.
    """
    codes = {duo.canonical(code) for code in written.duo}
    valued = [one.term for one in written.conditions]
    if len(set(valued)) != len(valued):
        raise ConsentError("duo.value-twice", "give each modifier its values once")
    for code in valued:
        if code not in codes or code not in KINDS:
            raise ConsentError("duo.value-unwanted", f"{code} is not among the modifiers that take a value", term=code)
    for code in sorted(codes & KINDS.keys() - set(valued)):
        known = duo.term(code)
        raise ConsentError(
            "duo.value-missing", f"{known.label} ({known.shorthand}) needs {KINDS[code].words}", term=code
        )
