"""What a researcher wants to do: one DUO permission as the kind of research, the diseases, and how it is done.

>>> purpose = Purpose.of(duo.DS, ["MONDO:0005010", "MONDO:0005267"])
>>> purpose.diseases, purpose.digest()[:8]
(('MONDO:0005267',), 'f7164fa2')
"""

from __future__ import annotations

from collections.abc import Iterable

from consent import canonical, diseases, duo
from consent.errors import ConsentError


class Purpose(canonical.Document, frozen=True, kw_only=True):
    """A stated purpose, always in its one normal form, so that one purpose has one digest.

    `duo`: a permission code as the kind of research (DS, HMB, GRU or POA). `diseases`: for DS the Mondo codes, sorted,
    none of them covering another; else none. The rest says what the research is: what is not said is no.
    Raises ConsentError `purpose.kind`, `purpose.diseases`; `Purpose.of` brings diseases into the normal form.
    """

    duo: str
    diseases: tuple[str, ...] = ()
    commercial: bool = False  # for gain, by whomever
    for_profit: bool = False  # asked for by an organisation that works for profit
    methods: bool = False  # to develop general methods, beyond the diseases named
    ancestry: bool = False  # touches population origins or ancestry
    genetic: bool = False  # a genetic study

    def __post_init__(self) -> None:
        if self.duo not in {duo.DS, duo.HMB, duo.GRU, duo.POA}:
            raise ConsentError("purpose.kind", "a purpose is disease specific, health, general or ancestry research")
        if (self.duo == duo.DS) != bool(self.diseases):
            raise ConsentError("purpose.diseases", "name diseases for disease specific research, and for no other")
        if self.diseases != _normal(self.diseases):
            raise ConsentError("purpose.diseases", "list each disease once, in order, and none that another covers")

    @classmethod
    def of(cls, kind: str, wanted: Iterable[str] = (), **how: bool) -> Purpose:
        """The purpose of `kind` on the diseases `wanted`, in any order; raises as the class does."""
        return cls(duo=kind, diseases=_normal(wanted), **how)

    def digest(self) -> str:
        """64 hex characters that name this purpose on the ledger (tag `covenant.purpose.v1`)."""
        return canonical.digest("covenant.purpose.v1", canonical.encode(self)).hex()


def _normal(wanted: Iterable[str]) -> tuple[str, ...]:
    """`wanted`, each once, sorted, without those that another one covers; raises ConsentError `diseases.unknown`."""
    unique = {diseases.disease(code).code for code in wanted}
    return tuple(sorted(one for one in unique if not any(diseases.covers(other, one) for other in unique - {one})))
