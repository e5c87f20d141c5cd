"""Exact removal: at which round of a study somebody who withdrew may have been used for the first time.

Only the hospital knows who was in a round, and it tells nobody. So this looks at what the ledger shows everybody: when
the consent stood there, and at which rounds its hospital took part in that time. The first of these is the first that
the patient can have been in; the weights that entered it owe nothing to that consent. An earlier consent of the same
patient is another commitment, which nobody can link to this one: whoever wants both removed names both.

A study that is a restart itself rests on rounds of the study before as well: a consent used there is removed there.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.errors import TrainingError
from training.federation.studies import LedgerView, Round, Studies, Study
from training.site.stores import TRAINING

APART = 600  # seconds that times of two transactions may be in the other order: each is within 300 of the hosts' clock


def checkpoint(view: LedgerView, study: Study, commitments: Sequence[str]) -> tuple[Study, Round]:
    """An attempt at the first round that any of the consents `commitments` may have been used in; its `base` is clean.

    With the study whose round it is: `study`, or one that it restarts, of which it keeps that round.
    Raises TrainingError `removal.unknown` (no such consent, or one that was never recorded), `removal.not-withdrawn`,
    `removal.not-in-study` (its hospital takes no part), `removal.not-used`.
    """
    rests_on = attempts(Studies(view), study)
    uses = (first_use(view, study, rests_on, commitment) for commitment in commitments)
    found = [place for place in uses if place is not None]
    if not found:
        raise TrainingError("removal.not-used", "no round of this study can have used what was withdrawn")
    return rests_on[min(found)]


def attempts(studies: Studies, study: Study) -> list[tuple[Study, Round]]:
    """Every attempt that the model of `study` rests on, in order: those kept of a study before, then its own."""
    kept: list[tuple[Study, Round]] = []
    if (restart := study.plan.restart) is not None:
        before = attempts(studies, studies.study(restart.study))
        kept = [(one, item) for one, item in before if one.study != restart.study or item.round < restart.round]
    return [*kept, *((study, item) for item in studies.rounds(study.study))]


def first_use(view: LedgerView, study: Study, rests_on: Sequence[tuple[Study, Round]], commitment: str) -> int | None:
    """The place in `rests_on` of the first in whose time the consent stood, and in which its hospital took part.

    `rests_on`: `attempts` of `study`. Errors as `checkpoint`.

    The gate takes no consent that was recorded, by its time, after the attempt was opened. Whether the withdrawal came
    before or after that is a matter of blocks, of which the ledger shows a range, and of times, which may be `APART`
    from each other's order: an attempt counts unless either says that it was opened after the withdrawal.
    """
    entry = view.entry(f"consents/{commitment}")
    if entry is None or entry.body.get("recorded") is None:
        raise TrainingError("removal.unknown", "the ledger holds no such consent: copy its number from the receipt")
    body = entry.body
    if body.get("withdrawn") is None:
        raise TrainingError("removal.not-withdrawn", "this consent stands: what rests on it is not removed")
    if body["hospital"] not in study.plan.sites:
        raise TrainingError("removal.not-in-study", "this consent's hospital has no data set in the study")
    studies = Studies(view)
    for place, (_, item) in enumerate(rests_on):
        answer = studies.commitments(item).get(body["hospital"])
        in_time = body["recorded"] <= item.opened <= body["withdrawn"] + APART
        took_part = item.kind == TRAINING and answer is not None and not answer.declined
        if in_time and took_part and there_before(view, rests_on, place) < entry.block:
            return place
    return None


def there_before(view: LedgerView, rests_on: Sequence[tuple[Study, Round]], place: int) -> int:
    """A block that was there before the attempt at `place` was opened: where the attempt before it in its study ended,
    or where the study's last approval stands.
    """
    (study, _), (earlier, last) = rests_on[place], rests_on[place - 1]
    if place and earlier.study == study.study:
        keys = [f"studies/round/{last.study}/{last.round}/{last.attempt}"]
    else:
        keys = [f"studies/approval/{study.study}/{site}" for site in study.plan.sites]
    return max(entry.block for entry in map(view.entry, keys) if entry is not None)
