"""Withdrawing from one study: the consent is replaced by one that says no to that study, and else says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_noop
from msgspec.structs import replace as with_changed

from consent.limits import Denial, Limits
from portal.errors import PortalError
from portal.patients import sending, services
from portal.patients.models import Grant

MOST: Final = 32  # studies in one denial (consent.limits)


def leave(*, grant: Grant, study: str, how: services.How = None) -> Grant:
    """Take `study` (UUID) out of `grant`: the new consent is signed, the old one withdrawn, both saved together.

    `how`: as in `services.give`.

    The old one's withdrawal is what proves, later, that no round of any study counted on it; the new one keeps all
    others. A study that is left already changes nothing. Under a text that has a successor, the new one goes on for
    what that text still permits. Raises PortalError `patients.withdrawn`, and what a touch is refused with.
    """
    with transaction.atomic():
        old = services.locked(grant)
        if not old.stands:
            raise PortalError(
                "patients.withdrawn", gettext_noop("this consent is withdrawn already: no study uses your record")
            )
        details = old.opened()
        if study in left(details.limits):
            return old
        new = services.replaced(old, wish(old, study), how)
    sending.send_withdrawals([old])
    sending.send_grants([new])
    return new


def wish(old: Grant, study: str) -> services.Wish:
    """What `old` says from now on, with a no to `study`."""
    same = services.like(old, old.preset, old.valid_until)
    return replace(same, choices=replace(same.choices, limits=without(same.choices.limits, study)))


def left(limits: Limits) -> set[str]:
    """The studies that `limits` say no to, each for itself."""
    return {study for one in limits.denied if is_plain(one) for study in one.studies}


def without(limits: Limits, study: str) -> Limits:
    """`limits` with a no to `study`, beside the ones there are."""
    room = next((one for one in limits.denied if is_plain(one) and len(one.studies) < MOST), None)
    others = tuple(one for one in limits.denied if one is not room)
    denial = Denial(studies=tuple(sorted({*(room.studies if room else ()), study})))
    return with_changed(limits, denied=(*others, denial))


def is_plain(denial: Denial) -> bool:
    """Whether it says no to studies, always, and to nothing else."""
    return bool(denial.studies) and denial == Denial(studies=denial.studies)
