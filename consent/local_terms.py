"""Our own conditions, which the Data Use Ontology has no terms for; their codes say that they are not GA4GH's.

They stand beside DUO modifiers in a data set's terms or a grant, and narrow as these do. `hl7`: the code of the same
meaning in HL7's ActCode (http://terminology.hl7.org/CodeSystem/v3-ActCode), where it has one.

    >>> LOCAL[NORELINK].hl7, NORELINK
    ('NORELINK', 'COVENANT:0000003')
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

NAI: Final = "COVENANT:0000001"
NOREID: Final = "COVENANT:0000002"
NORELINK: Final = "COVENANT:0000003"


@dataclass(frozen=True, slots=True)
class LocalTerm:
    """One of our terms, shaped as those of the ontology."""

    code: str
    shorthand: str
    label: str
    definition: str
    hl7: str | None = None
    parents: tuple[str, ...] = ()


LOCAL = MappingProxyType(
    {
        NAI: LocalTerm(NAI, "NAI", "no training of AI models", "use does not allow training an AI model on the data"),
        NOREID: LocalTerm(
            NOREID, "NOREID", "no re-identification", "the requestor agrees not to find out whose record it is"
        ),
        NORELINK: LocalTerm(
            NORELINK,
            "NORELINK",
            "no relinking",
            "the requestor agrees not to join the data with other data in a way that could tell whose record it is",
            "NORELINK",
        ),
    }
)
