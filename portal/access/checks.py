"""What the rules say about a case, kept with a digest of what it rests on, and made again when that has changed."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from consent import canonical, periods
from consent.canonical import convert
from consent.decide import Use
from consent.purpose import Purpose
from consent.ruling import Ruling, rule_on
from consent.seats import seated
from consent.terms import DatasetTerms
from portal.access.models import Check
from portal.access.selectors import Case
from portal.catalogue import selectors as catalogue


@dataclass(frozen=True, slots=True)
class Checked:
    """A ruling, and the verdict that stood before the verdict last changed ("" where it never did)."""

    ruling: Ruling
    earlier: str

    @property
    def obligations(self) -> list[str]:
        return [catalogue.condition_words(one.term, one.values) for one in self.ruling.obligations]


def checked(case: Case) -> Checked:
    """The standing ruling on `case`: the kept one, or a new one in its place where its inputs are others today.

    The contract refuses a permit against the data set's own terms, whatever stands here.
    """
    terms, purpose, use = terms_of(case), purpose_of(case), use_of(case)
    matching = (case.entitlement or {}).get("matching", settings.NODE.matching)
    named = {
        "request": case.request["request"],
        "dataset": case.dataset["dataset"],
        "version": case.dataset["version"],
    }
    with transaction.atomic():
        kept = Check.objects.select_for_update().filter(**named).first()
        standing = None if kept is None else canonical.decode_as(bytes(kept.ruling), Ruling)
        unchanged = standing is not None and standing.matching == matching and standing.stands(terms, purpose, use)
        if kept is not None and standing is not None and unchanged:
            return Checked(standing, kept.earlier)
        ruling = rule_on(terms, purpose, use, matching)
        changed = standing is not None and standing.verdict != ruling.verdict
        earlier = standing.verdict if changed and standing else kept.earlier if kept else ""
        Check.objects.update_or_create(**named, defaults={"ruling": canonical.encode(ruling), "earlier": earlier})
    return Checked(ruling, earlier)


def purpose_of(case: Case) -> Purpose:
    """What is asked for, judged as the ledger judges it: over what the members hold of who asks and who computes."""
    asker, worker = catalogue.seat(case.request["requester"]), catalogue.seat(case.dataset["owner"])
    return seated(convert(case.request["purpose"], Purpose), asker=asker, worker=worker)


def terms_of(case: Case) -> DatasetTerms:
    said = {name: case.dataset.get(name, []) for name in DatasetTerms.__struct_fields__}
    return convert(said, DatasetTerms)


def use_of(case: Case) -> Use:
    """From the day of the decision, or today while there is none, to the last day decided or asked for."""
    decided = (case.entitlement or {}).get("decided")
    return Use(periods.day_of(decided or int(timezone.now().timestamp())), case.until)
