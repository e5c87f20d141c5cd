"""Freezing a cohort: from admitted patients to the root that goes on the ledger."""

from __future__ import annotations

from collections.abc import Iterable

from consent.cohort import bucket_of, cohort_key, pad_keys
from consent.cohort_tree import CohortTree
from training.site.stores import Attempt, FrozenCohort, Member, Standing

MINIMUM = 20  # this code's own floor: a vote that lowered the contracts' would not lower it here


def freeze(
    admitted: Iterable[Standing], attempt: Attempt, *, minimum: int, seed: bytes, height: int
) -> FrozenCohort | None:
    """The cohort of `admitted`, or None where there are fewer than `minimum` (or than this code's own floor).

    `seed`: 32 secret random bytes, new for each attempt and kind. `height`: the block that opened the round.
    """
    members = tuple(
        Member(item.patient, item.commitment, cohort_key(item.secret, attempt.study, attempt.round))
        for item in admitted
    )
    if len(members) < max(minimum, MINIMUM):
        return None
    bucket = bucket_of(len(members))
    root = CohortTree(pad_keys([member.key for member in members], seed, bucket)).root
    return FrozenCohort(members, root.hex(), bucket, seed, height)
