"""The chain of models: from the plan's initial weights through every closed round, recomputed, never believed.

A site holds a model for true only where its own arithmetic over the released updates gives the digest on the ledger.
"""

from __future__ import annotations

from typing import Protocol

from training.errors import TrainingError
from training.federation.aggregate import aggregate, check
from training.federation.schedule import averaged
from training.federation.studies import Round, Studies, Study
from training.federation.transport import Blobs
from training.federation.vectors import Vector, digest, from_bytes
from training.models import registry


class Verified(Protocol):
    """Vectors that stood this check before."""

    def get(self, digest: str) -> Vector | None: ...

    def put(self, vector: Vector) -> str: ...


class MemoryVectors:
    """Verified vectors of one process; a restart checks them again."""

    def __init__(self) -> None:
        self._kept: dict[str, Vector] = {}

    def get(self, name: str) -> Vector | None:
        return self._kept.get(name)

    def put(self, vector: Vector) -> str:
        name = digest(vector)
        self._kept[name] = vector
        return name


class Chain:
    """Models of the studies in `studies`; vectors come from `blobs`, checked ones are kept in `verified`."""

    def __init__(self, studies: Studies, blobs: Blobs, verified: Verified) -> None:
        self._studies = studies
        self._blobs = blobs
        self._verified = verified

    def entering(self, study: Study, attempt: Round) -> Vector:
        """The weights that `attempt` starts from.

        Raises TrainingError `chain.base` (the round names other weights than the last closed one gave),
        `aggregate.mismatch` and `blob.missing`.
        """
        before = [item for item in self._studies.closed(study.study) if item.round < attempt.round]
        names = self._names(study, before)
        if attempt.base != names[-1]:
            raise TrainingError("chain.base", "this round starts from other weights than the last closed round gave")
        return self._model(study, before, names)

    def final(self, study: Study) -> Vector:
        """The model after the last training round; TrainingError `chain.unfinished` while rounds are missing."""
        closed = list(self._studies.closed(study.study))
        if len(closed) != study.plan.rounds:
            raise TrainingError("chain.unfinished", f"{len(closed)} of {study.plan.rounds} rounds are closed")
        return self._model(study, closed, self._names(study, closed))

    def closing(self, study: Study, number: int, model: Vector) -> Vector:
        """What round `number` closes with: `model`, its aggregate; the last one with the average of all rounds' models
        where the plan has one, beginning with the weights that the study started from.
        """
        decay = registry.averaging(registry.configuration(study.plan.configuration))
        if not decay or number != study.plan.rounds:
            return model
        before = [item for item in self._studies.closed(study.study) if item.round < number]
        names = self._names(study, before)
        earlier = [self._model(study, before[:count], names[: count + 1]) for count in range(len(names))]
        return averaged([*earlier, model], decay)

    def _names(self, study: Study, closed: list[Round]) -> list[str]:
        if [item.round for item in closed] != list(range(1, len(closed) + 1)):
            raise TrainingError("chain.gap", "a round before this one never closed")
        return [study.plan.initial, *(item.model or "" for item in closed)]

    def _model(self, study: Study, closed: list[Round], names: list[str]) -> Vector:
        step = len(closed)
        while (model := self._verified.get(names[step])) is None and step:
            step -= 1
        if model is None:
            model = from_bytes(self._blobs.get(names[0]))
            self._verified.put(model)
        for item, name in zip(closed[step:], names[step + 1 :], strict=True):
            updates = self._studies.updates(item)
            deltas = {site: from_bytes(self._blobs.get(updates[site])) for site in item.sites if site in updates}
            if set(deltas) != set(item.sites):
                raise TrainingError("chain.update-missing", f"round {item.round} closed without an update of each site")
            model = check(self.closing(study, item.round, aggregate(model, deltas, study.plan.weights)), name)
            self._verified.put(model)
        return model
