"""The gate: who may be in a round.

Consent as the ledger showed it at the block that opened the round, minus withdrawals heard of since. Unknown means out.

A grant counts if it was recorded at or below `height`, is not withdrawn (on the ledger at any height this node has
seen, or at this hospital's own counter), and permits `purpose` at `when`. Once somebody has withdrawn with their own
signature or code, only grants that they signed count for them: nobody re-enrols them on paper. A no in any document
that is not withdrawn counts, however late it was recorded. Where several people speak for one patient, `consent.voices`
says what they allow together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from consent.decide import read_all
from consent.decision import Decision
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose
from consent.voices import Spoken, together
from training.site.stores import Standing

PATIENT_SIGNED = frozenset({"passkey", "device-key", "portal-key"})
BY_PATIENT = frozenset({"patient", "code"})


@dataclass(frozen=True, slots=True)
class Gate:
    """One round's question. `when`: epoch seconds of its Open transaction. `height`: the block that committed it.

    `occasion`: the study that asks; without one, only those fit who leave the choice of studies open.
    """

    purpose: Purpose
    when: int
    height: int
    occasion: Occasion = NO_STUDY

    def admit(self, standings: Iterable[Standing]) -> list[Standing]:
        """One grant for each patient who may take part, by patient; the smallest commitment where several permit."""
        everything = list(standings)
        left = {(item.patient, item.speaker) for item in everything if taken_back(item)}
        answers = read_all([item.view for item in everything], self.purpose, self.when, self.occasion)
        documents: dict[str, list[tuple[Standing, Spoken]]] = {}
        for item, answer in zip(everything, answers, strict=True):
            documents.setdefault(item.patient, []).append((item, self._spoken(item, answer, left)))
        chosen = (self._chosen(documents[patient]) for patient in sorted(documents))
        return [item for item in chosen if item is not None]

    def _spoken(self, item: Standing, answer: Decision, left: set[tuple[str, str]]) -> Spoken:
        """What `item` says, whether it stands, and whether its yes counts at this gate."""
        view = item.view if item.withdrawn_block is None else msgspec.structs.replace(item.view, status="withdrawn")
        counts = item.recorded_block is not None and item.recorded_block <= self.height
        counts &= (item.patient, item.speaker) not in left or item.attestation in PATIENT_SIGNED
        return Spoken(view, answer, item.speaker, counts, taken_back(item), item.mandate_ended)

    def _chosen(self, documents: list[tuple[Standing, Spoken]]) -> Standing | None:
        """The grant that lets one patient in, unless another document of theirs, or another voice, says no.

        Records carry no dates here, so a patient who allowed only records of certain days is out: nobody knows.
        """
        said, known = [spoken for _, spoken in documents], documents[0][0].age
        found = together(said, self.purpose, self.when, known, self.occasion)
        if not (found.decision.permits and found.left.decide(None).permits):
            return None
        return min((documents[at][0] for at in found.yes), key=lambda item: item.commitment)


def taken_back(item: Standing) -> bool:
    """Whether whoever signed it has withdrawn it; not a registrar."""
    return item.withdrawn_here or item.withdrawn_by in BY_PATIENT
