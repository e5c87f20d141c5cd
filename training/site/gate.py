"""The gate: who may be in a round.

Consent as the ledger showed it at the block that opened the round, minus withdrawals heard of since. Unknown means out.

A grant counts if it was recorded at or below `height`, is not withdrawn (on the ledger at any height this node has
seen, or at this hospital's own counter), and permits `purpose` at `when`. Once a patient has withdrawn with their own
signature or code, only grants that the patient signed count: nobody re-enrols them on paper. A no in any document that
is not withdrawn counts, however late it was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consent.clocks import usable
from consent.decide import decide_all
from consent.decision import Decision
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose
from training.site.stores import Standing

PATIENT_SIGNED = frozenset({"passkey", "device-key", "portal-key"})
BY_PATIENT = frozenset({"patient", "code"})
UNCOUNTED = Decision("deny", "consent.unknown")  # recorded after the round opened, or not the patient's own word


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
        left = {item.patient for item in everything if item.withdrawn_by in BY_PATIENT or item.withdrawn_here}
        standing = [item for item in everything if not item.withdrawn_here and item.withdrawn_block is None]
        decisions = decide_all([item.view for item in standing], self.purpose, self.when, self.occasion)
        documents: dict[str, list[tuple[Standing, Decision]]] = {}
        for item, decision in zip(standing, decisions, strict=True):
            answer = decision if self._counts(item, left) else UNCOUNTED
            documents.setdefault(item.patient, []).append((item, answer))
        chosen = (self._chosen(documents[patient]) for patient in sorted(documents))
        return [item for item in chosen if item is not None]

    def _counts(self, item: Standing, left: set[str]) -> bool:
        if item.recorded_block is None or item.recorded_block > self.height:
            return False
        return item.patient not in left or item.attestation in PATIENT_SIGNED

    def _chosen(self, documents: list[tuple[Standing, Decision]]) -> Standing | None:
        """The grant that lets one patient in, unless another document of theirs says no.

        Records carry no dates here, so a patient who allowed only records of certain days is out: nobody knows.
        """
        permitting = [item for item, decision in documents if decision.permits]
        if not permitting:
            return None
        views = [(item.view, decision) for item, decision in documents]
        left = usable(views, self.purpose, self.when, self.occasion)
        return min(permitting, key=lambda item: item.commitment) if left.decide(None).permits else None
