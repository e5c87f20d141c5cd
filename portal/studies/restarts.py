"""Exact removal: an ended study, taken up again where what was withdrawn had not been used yet; first its price."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ledger.gateway import Committed
from portal import ledger
from portal.errors import PortalError
from portal.grid import hub
from portal.grid.ledgers import Mirror
from portal.reactor import selectors as mirror
from portal.studies import budget, cost
from portal.studies.budget import Quote
from training.federation import removal
from training.federation.studies import Studies
from training.site.code import code_digest

MOST = 100  # consents that are removed together
COMMITMENT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Restart:
    """`plan`: as it would be proposed. `asked`: the study that was to be restarted."""

    plan: dict[str, Any]
    asked: str
    quotes: list[Quote]

    @property
    def number(self) -> int:
        """The round of the study before that it begins at."""
        return int(self.plan["restart"]["round"])

    @property
    def kept(self) -> int:
        """How many rounds of the study before stay in the model."""
        return self.number - 1

    @property
    def epsilon(self) -> float:
        """What the rounds that are trained again cost a patient, with spare attempts and metrics."""
        return cost.planned(self.plan)

    def sentences(self) -> list[str]:
        again, taken = self.plan["rounds"], self.plan["restart"]["study"]
        kept = f"the {self.kept} before it stay" if self.kept else "no round before it stays"
        where = "" if taken == self.asked else f" of study {taken}, which this one took up and which is taken up anew,"
        return [
            f"What was withdrawn may have been used in round {self.number}{where} for the first time: {kept}, {again} "
            "are trained again.",
            f"They cost epsilon {self.epsilon:.2f} more, by RDP at delta {self.plan['privacy']['delta']}, with "
            f"{self.plan['spare_attempts']} spare attempts; what the study before spent stays spent.",
        ]


def commitments(text: str) -> list[str]:
    """The consents' numbers in `text`, apart by spaces or lines. Raises PortalError `removal.commitments`."""
    found = sorted(set(text.split()))
    if not 0 < len(found) <= MOST or not all(COMMITMENT.fullmatch(one) for one in found):
        message = f"give 1 to {MOST} numbers of consents, 64 hexadecimal digits each, as receipts have them"
        raise PortalError("removal.commitments", message)
    return found


def planned(study: Mapping[str, Any], *, consents: str, title: str, spare_attempts: int) -> Restart:
    """The restart of `study` (a record) without those who withdrew `consents`, and what it would cost.

    Raises PortalError `removal.*`, TrainingError `removal.*`, `blob.missing` (the weights are not kept any more),
    Refused, LedgerUnavailable.
    """
    named = commitments(consents)
    if study["status"] not in ("stopped", "released"):
        raise PortalError("removal.not-ended", "this study still goes on: stop it first, then restart it")
    view = Mirror()
    taken, clean = removal.checkpoint(view, Studies(view).study(study["study"]), named)
    before = mirror.record(f"studies/study/{taken.study}")["plan"]
    plan = {
        **before,
        "request": study["plan"]["request"],
        "title": title,
        "code": code_digest(),
        "initial": clean.base,
        "rounds": before["rounds"] - clean.round + 1,
        "spare_attempts": spare_attempts,
        "restart": {"study": taken.study, "round": clean.round},
    }
    hub.blobs().get(clean.base)
    return Restart(plan, study["study"], budget.quotes("researcher", plan, cost.sites(plan)))


def propose(*, before: Mapping[str, Any], study: UUID, consents: str, title: str, spare_attempts: int) -> Committed:
    """Propose the restart as a study of its own, its weights kept anew beside it. Errors as `planned`."""
    plan = planned(before, consents=consents, title=title, spare_attempts=spare_attempts).plan
    blobs = hub.blobs()
    blobs.put(blobs.get(plan["initial"]))
    return ledger.submit("researcher", "studies:Propose", {"study": str(study), "plan": plan})
