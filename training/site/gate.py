"""The gate: who may be in a round.

Consent as the ledger showed it at the block that opened the round, minus withdrawals heard of since. Unknown means out.

A grant counts if it was recorded at or below `height`, is not withdrawn (on the ledger at any height this node has
seen, or at this hospital's own counter), and permits `purpose` at `when`. Once somebody has withdrawn with their own
signature or code, only grants that they signed count for them: nobody re-enrols them on paper. A no in any document
that is not withdrawn counts, however late it was recorded. Where several people speak for one patient, `consent.voices`
says what they allow together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import msgspec

from consent.decide import read_all
from consent.decision import Decision
from consent.limits import Limits
from consent.occasion import NO_STUDY, Occasion
from consent.purpose import Purpose
from consent.voices import Spoken, together
from training.site.stores import Standing

_Facts = str | tuple[bool, bool, bool, str | None, Limits, bool, str | None, str | None]
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
        answers = read_all([item.view for item in everything], self.purpose, self.when, self.occasion)
        count = Counter([item.patient for item in everything])
        admitted, several, known = list[Standing](), list[tuple[Standing, Decision]](), dict[_Facts, bool]()
        for item, answer in zip(everything, answers, strict=True):
            if count[item.patient] > 1:
                several.append((item, answer))
            elif answer.permits:
                facts = self._facts(item)
                if facts not in known:
                    known[facts] = bool(self._weighed([(item, answer)]))
                if known[facts]:
                    admitted.append(item)
        return sorted([*admitted, *self._weighed(several)], key=attrgetter("patient"))

    def _facts(self, item: Standing) -> _Facts:
        """All that weighing looks at where `item` permits and is its patient's only document: most share it with many
        others, a child or whoever is spoken for with nobody. (Records carry no dates here: `starts` changes nothing.)
        """
        details, block = item.view.details, item.recorded_block
        if details is None or item.speaker or details.age or details.mandate or item.age:
            return item.commitment
        return (
            block is not None and block <= self.height,
            item.withdrawn_block is None,
            item.withdrawn_here,
            item.withdrawn_by,
            details.limits,
            details.retrospective,
            details.data_from,
            details.data_until,
        )

    def _weighed(self, read: Sequence[tuple[Standing, Decision]]) -> list[Standing]:
        """For each patient in `read`, with all documents of theirs: the grant that lets them in, if one does."""
        left = {(item.patient, item.speaker) for item, _ in read if taken_back(item)}
        documents: dict[str, list[tuple[Standing, Spoken]]] = {}
        for item, answer in read:
            documents.setdefault(item.patient, []).append((item, self._spoken(item, answer, left)))
        return [found for found in map(self._chosen, documents.values()) if found is not None]

    def _counts(self, item: Standing, left: set[tuple[str, str]]) -> bool:
        """Whether a yes in `item` counts at this gate."""
        recorded = item.recorded_block is not None and item.recorded_block <= self.height
        return recorded and ((item.patient, item.speaker) not in left or item.attestation in PATIENT_SIGNED)

    def _spoken(self, item: Standing, answer: Decision, left: set[tuple[str, str]]) -> Spoken:
        """What `item` says, whether it stands, and whether its yes counts at this gate."""
        view = item.view if item.withdrawn_block is None else msgspec.structs.replace(item.view, status="withdrawn")
        return Spoken(view, answer, item.speaker, self._counts(item, left), taken_back(item), item.mandate_ended)

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
