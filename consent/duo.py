"""The terms of GA4GH's Data Use Ontology: what data may be used for, and on which conditions.

Five permissions (disease specific stands under health, health under general; ancestry and no restriction stand apart)
and 18 modifiers, as `consent.duo_release` has them. Some of the ontology's files write one code with eight digits
(DUO:00000044): both are read. Obsolete codes are understood where old terms are read, and refused in new ones.

    >>> term("DUO:0000007").shorthand, [general.shorthand for general in generalisations("DUO:0000007")]
    ('DS', ['DS', 'HMB', 'GRU'])
    >>> read("DUO:0000005")
    ('DUO:0000042', 'DUO:0000043')
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import Final

from consent import duo_release
from consent.duo_release import OBSOLETE, Row
from consent.errors import ConsentError
from consent.local_terms import LOCAL, LocalTerm

NRES: Final = "DUO:0000004"
GRU: Final = "DUO:0000042"
HMB: Final = "DUO:0000006"
DS: Final = "DUO:0000007"
POA: Final = "DUO:0000011"

RS: Final = "DUO:0000012"
NMDS: Final = "DUO:0000015"
GSO: Final = "DUO:0000016"
NPUNCU: Final = "DUO:0000018"
PUB: Final = "DUO:0000019"
COL: Final = "DUO:0000020"
IRB: Final = "DUO:0000021"
GS: Final = "DUO:0000022"
MOR: Final = "DUO:0000024"
TS: Final = "DUO:0000025"
US: Final = "DUO:0000026"
PS: Final = "DUO:0000027"
IS: Final = "DUO:0000028"
RTN: Final = "DUO:0000029"
CC: Final = "DUO:0000043"
NPOA: Final = "DUO:0000044"
NPU: Final = "DUO:0000045"
NCU: Final = "DUO:0000046"

Term = Row | LocalTerm

PERMISSIONS = MappingProxyType({row.code: row for row in duo_release.PERMISSIONS})
MODIFIERS = MappingProxyType({row.code: row for row in duo_release.MODIFIERS})
CONDITIONS: MappingProxyType[str, Term] = MappingProxyType({**MODIFIERS, **LOCAL})  # all that can narrow (or be CC)
_TERMS: MappingProxyType[str, Term] = MappingProxyType({**PERMISSIONS, **CONDITIONS})
_BY_WORDS = {words: row.code for row in _TERMS.values() for words in (row.label, row.shorthand.lower())}


def canonical(code: str) -> str:
    """The one spelling of `code`, for new terms; raises ConsentError `duo.unknown`, `duo.obsolete`."""
    code = duo_release.SPELLINGS.get(code, code)
    if code in OBSOLETE:
        instead = " and ".join(OBSOLETE[code].read_as or ()) or "a current term"
        raise ConsentError("duo.obsolete", f"the Data Use Ontology no longer has {code}: use {instead}", term=code)
    if code not in _TERMS:
        meant = _BY_WORDS.get(code.strip().lower())
        remedy = f"write its code, {meant}" if meant else "choose one of its codes, like DUO:0000042"
        raise ConsentError(
            "duo.unknown",
            f"{code[:80]!r} is no code of the Data Use Ontology {duo_release.RELEASE}: {remedy}",
            term=code[:80],
        )
    return code


def read(code: str) -> tuple[str, ...]:
    """The current codes that `code` means in terms written long ago; raises as `canonical` where it means nothing."""
    meaning = OBSOLETE[code].read_as if code in OBSOLETE else None
    return (canonical(code),) if meaning is None else meaning


def term(code: str) -> Term:
    """The term of `code`; raises ConsentError `duo.unknown`, `duo.obsolete`."""
    return _TERMS[canonical(code)]


@cache
def generalisations(permission: str) -> tuple[Row, ...]:
    """`permission` and every wider permission, the narrowest first; raises as `term` does, KeyError for a modifier."""
    found = [PERMISSIONS[canonical(permission)]]
    for narrower in found:  # grows while it is read
        found += [PERMISSIONS[parent] for parent in narrower.parents]
    return tuple(found)
