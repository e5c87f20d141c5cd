"""Whether a site may still work on an attempt: what stood on the ledger when it was opened may have ended since."""

from __future__ import annotations

from consent.purpose import Purpose
from training.errors import TrainingError
from training.federation.studies import Round, Studies, Study
from training.site.stores import TRAINING


def purpose(studies: Studies, study: Study, attempt: Round, msp: str, now: float) -> Purpose:
    """What hospital `msp` may use its data set for in `attempt` at `now` (epoch seconds), as the ledger stands.

    Raises TrainingError `site.study-ended`, `site.dataset-retired`, `site.no-entitlement`.
    """
    dataset = study.plan.dataset(msp)
    if study.status != ("running" if attempt.kind == TRAINING else "trained"):
        raise TrainingError("site.study-ended", "this study is not under way any more: nothing is done for it")
    if not studies.in_use(dataset):
        raise TrainingError("site.dataset-retired", "this data set version was retired: register a new one")
    return studies.entitlement(study.plan, dataset, int(now)).purpose


def contributing(studies: Studies, study: Study, attempt: Round, msp: str, now: float) -> Purpose:
    """As `purpose`, for a contribution: the set is fixed with `msp` in it, its steward did not pause, there is time.

    Nor has the plan discarded the attempt for a withdrawal: what cannot close any more spends nothing.
    Raises TrainingError `site.not-fixed`, `site.paused`, `site.deadline-passed`, `site.attempt-discarded` too.
    """
    if msp not in attempt.sites:
        raise TrainingError("site.not-fixed", "this site is not in this attempt's fixed set")
    if studies.paused(msp):
        raise TrainingError("site.paused", "this hospital's steward has paused it: nothing is read")
    if now >= attempt.update_deadline:
        raise TrainingError("site.deadline-passed", "the time for contributions is over: open another attempt")
    if studies.discarded(study, attempt):
        raise TrainingError("site.attempt-discarded", "a consent was withdrawn: the plan discards this attempt")
    return purpose(studies, study, attempt, msp, now)
