"""A study that takes up another one where somebody was not yet in it: exact removal after a withdrawal, at its price.

No round is unmade: the study before stays as it was and keeps what it spent. The new one starts from the weights that
entered one of its rounds, keeps its plan, needs every approval anew and pays for each round that it trains again. Which
withdrawal it is for stands nowhere on the ledger.
"""

from __future__ import annotations

from msgspec.structs import replace

from ledger.contracts import study as studies
from ledger.contracts.round import require_round
from ledger.contracts.state import Ledger
from ledger.contracts.study import Plan
from ledger.errors import Refused


def check(ledger: Ledger, plan: Plan, sponsor: str) -> None:
    """Return quietly if `plan` restarts nothing, or takes up an ended study of `sponsor` at one of its checkpoints.

    Refuses `studies.unknown`, `studies.not-sponsor`, `studies.wrong-status`, `studies.round-unknown`,
    `studies.plan-restart`, `studies.plan-checkpoint`.
    """
    if plan.restart is None:
        return
    before = studies.require(ledger, plan.restart.study)
    if before.sponsor != sponsor:
        raise Refused("studies.not-sponsor", "a study is restarted by its own sponsor", sponsor=before.sponsor)
    studies.require_status(before, "stopped", "released")
    first = require_round(ledger, before.study, plan.restart.round, 1)
    if first.kind != "training":
        raise Refused("studies.plan-restart", "a restart begins at a round of training", round=first.round)
    if differing := other_fields(plan, before.plan, first.round):
        raise Refused(
            "studies.plan-restart",
            f"a restart keeps the plan of the study before it; other here: {', '.join(differing)}",
            fields=differing,
        )
    if plan.initial != first.base:
        raise Refused(
            "studies.plan-checkpoint",
            "these are not the weights that entered that round: a checkpoint of another plan is no place to restart",
            base=first.base,
        )


def other_fields(plan: Plan, before: Plan, number: int) -> list[str]:
    """The names in which `plan` is not `before`, taken up again at round `number`."""
    kept = replace(
        before,
        title=plan.title,
        request=plan.request,
        code=plan.code,
        initial=plan.initial,
        rounds=before.rounds - number + 1,
        spare_attempts=plan.spare_attempts,
        restart=plan.restart,
    )
    return [name for name in plan.__struct_fields__ if getattr(plan, name) != getattr(kept, name)]
