"""The gate: who may be in a round.

Consent as the ledger showed it at the block that opened the round, minus withdrawals heard of since. Unknown means out.

A grant counts if it was recorded at or below `height`, is not withdrawn (on the ledger at any height this node has
seen, or at this hospital's own counter), and permits `purpose` at `when`. Once a patient has withdrawn with their own
signature or code, only grants that the patient signed count: nobody re-enrols them on paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consent.decide import decide_all, decide_record
from consent.purpose import Purpose
from training.site.stores import Standing

PATIENT_SIGNED = frozenset({"passkey", "device-key", "portal-key"})
BY_PATIENT = frozenset({"patient", "code"})


@dataclass(frozen=True, slots=True)
class Gate:
    """One round's question. `when`: epoch seconds of its Open transaction. `height`: the block that committed it."""

    purpose: Purpose
    when: int
    height: int

    def admit(self, standings: Iterable[Standing]) -> list[Standing]:
        """One grant for each patient who may take part, by patient; the smallest commitment where several permit."""
        everything = list(standings)
        left = {item.patient for item in everything if item.withdrawn_by in BY_PATIENT or item.withdrawn_here}
        eligible = [item for item in everything if self._counts(item, left)]
        decisions = decide_all([item.view for item in eligible], self.purpose, self.when)
        permitted: dict[str, Standing] = {}
        for item, decision in zip(eligible, decisions, strict=True):
            if decision.permits and dateless(item):
                known = permitted.setdefault(item.patient, item)
                if item.commitment < known.commitment:
                    permitted[item.patient] = item
        return [permitted[patient] for patient in sorted(permitted)]

    def _counts(self, item: Standing, left: set[str]) -> bool:
        if item.recorded_block is None or item.recorded_block > self.height:
            return False
        if item.withdrawn_here or item.withdrawn_block is not None:
            return False
        return item.patient not in left or item.attestation in PATIENT_SIGNED


def dateless(item: Standing) -> bool:
    """Records carry no dates here, so a patient who allowed only records of certain days is out: nobody knows."""
    return item.view.details is not None and decide_record(item.view.details, None).permits
