"""The terms of GA4GH's Data Use Ontology, release 2021-02-23: what data may be used for, and on which conditions.

Five permissions (disease specific stands under health, health under general; ancestry and no restriction stand apart)
and 18 modifiers. Some of the ontology's files write one code with eight digits (DUO:00000044): both are read.

    >>> term("DUO:0000007").shorthand, [general.shorthand for general in generalisations("DUO:0000007")]
    ('DS', ['DS', 'HMB', 'GRU'])
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from consent.errors import ConsentError

NRES, GRU, HMB, DS, POA = "DUO:0000004", "DUO:0000042", "DUO:0000006", "DUO:0000007", "DUO:0000011"
NMDS, GSO, NPUNCU = "DUO:0000015", "DUO:0000016", "DUO:0000018"
NPOA, NPU, NCU, CC = "DUO:0000044", "DUO:0000045", "DUO:0000046", "DUO:0000043"


@dataclass(frozen=True, slots=True)
class Term:
    """One term: its code, the ontology's label and shorthand, and the codes right above it among the permissions."""

    code: str
    label: str
    shorthand: str
    parents: tuple[str, ...] = ()


PERMISSIONS = MappingProxyType(
    {
        NRES: Term(NRES, "no restriction", "NRES"),
        GRU: Term(GRU, "general research use", "GRU"),
        HMB: Term(HMB, "health or medical or biomedical research", "HMB", (GRU,)),
        DS: Term(DS, "disease specific research", "DS", (HMB,)),
        POA: Term(POA, "population origins or ancestry research only", "POA"),
    }
)

MODIFIERS = MappingProxyType(
    {
        code: Term(code, label, shorthand)
        for code, shorthand, label in (
            ("DUO:0000012", "RS", "research specific restrictions"),
            (NMDS, "NMDS", "no general methods research"),
            (GSO, "GSO", "genetic studies only"),
            (NPUNCU, "NPUNCU", "not for profit, non commercial use only"),
            ("DUO:0000019", "PUB", "publication required"),
            ("DUO:0000020", "COL", "collaboration required"),
            ("DUO:0000021", "IRB", "ethics approval required"),
            ("DUO:0000022", "GS", "geographical restriction"),
            ("DUO:0000024", "MOR", "publication moratorium"),
            ("DUO:0000025", "TS", "time limit on use"),
            ("DUO:0000026", "US", "user specific restriction"),
            ("DUO:0000027", "PS", "project specific restriction"),
            ("DUO:0000028", "IS", "institution specific restriction"),
            ("DUO:0000029", "RTN", "return to database or resource"),
            (CC, "CC", "clinical care use"),
            (NPOA, "NPOA", "population origins or ancestry research prohibited"),
            (NPU, "NPU", "not for profit organisation use only"),
            (NCU, "NCU", "non-commercial use only"),
        )
    }
)

OBSOLETE = frozenset({"DUO:0000005", "DUO:0000014"})  # "general research use and clinical care", "research use only"
_SPELLINGS = MappingProxyType({"DUO:00000044": NPOA})


def canonical(code: str) -> str:
    """The one spelling of `code` used in comparisons; raises ConsentError `duo.unknown`, `duo.obsolete`."""
    code = _SPELLINGS.get(code, code)
    if code in OBSOLETE:
        raise ConsentError("duo.obsolete", f"the Data Use Ontology no longer has {code}: use a current term", term=code)
    if code not in PERMISSIONS and code not in MODIFIERS:
        raise ConsentError("duo.unknown", f"{code} is not a term of the Data Use Ontology 2021-02-23", term=code)
    return code


def term(code: str) -> Term:
    """The term of `code`; raises ConsentError `duo.unknown`, `duo.obsolete`."""
    code = canonical(code)
    return PERMISSIONS.get(code) or MODIFIERS[code]


@cache
def generalisations(permission: str) -> tuple[Term, ...]:
    """`permission` and every wider permission, the narrowest first; raises as `term` does, KeyError for a modifier."""
    found = [PERMISSIONS[canonical(permission)]]
    for narrower in found:  # grows while it is read
        found += [PERMISSIONS[parent] for parent in narrower.parents]
    return tuple(found)
