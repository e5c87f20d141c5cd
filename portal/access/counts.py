"""How many of this hospital's patients fit a purpose: counted at the gate, noised, thresholded, answered once.

Runs in the site's worker. The noise comes first and the threshold looks at the noised count only: a threshold on the
true count would itself tell whether one more patient fits. The answer is kept before it is sent, so that a retry says
the same.
"""

from __future__ import annotations

from typing import Final

import structlog
from django.conf import settings
from django.db import transaction

from consent.canonical import convert
from consent.errors import CovenantError
from consent.purpose import Purpose
from consent.seats import seated
from ledger.errors import Refused
from portal import ledger
from portal.access.models import CountAnswer
from portal.catalogue.selectors import seat
from portal.errors import LedgerUnavailable
from portal.reactor import selectors as mirror
from training.privacy.noise import Keystream
from training.site.gate import Gate
from training.site.stores import EVALUATION, TRAINING, ConsentStore, RecordStore

log = structlog.get_logger(__name__)

SIGMA: Final = "10"  # patients: the standard deviation of the noise; one patient changes a count by at most 1
THRESHOLD: Final = 20  # a noised count below this is not told
EXHAUSTED = "budget.counts-exhausted"


def answer_waiting(*, consents: ConsentStore, records: RecordStore) -> int:
    """Answer every question that waits at this hospital; returns how many the ledger took. A question that the ledger
    refuses (this month's answers are used up, the data set is retired) is not asked again; an unreachable ledger is."""
    taken = 0
    for waiting in CountAnswer.objects.filter(sent=False, refusal="").order_by("question"):
        try:
            drawn = waiting if waiting.drawn else draw(waiting.question, consents, records)
            taken += send(drawn)
        except LedgerUnavailable:
            break
        except CovenantError as error:  # such as a missing file: the other questions need not wait for it
            log.error("count not drawn", code=error.code)
    return taken


def draw(question: str, consents: ConsentStore, records: RecordStore) -> CountAnswer:
    """Count, noise and keep the answer to `question`, unless it is kept already."""
    found = fitting(question, consents, records)
    noised = round(found + float(SIGMA) * float(Keystream().normals(1)[0]))
    with transaction.atomic():
        answer = CountAnswer.objects.select_for_update().get(question=question)
        if not answer.drawn:
            answer.answer = noised if noised >= THRESHOLD else None
            answer.drawn = True
            answer.save()
    return answer


def fitting(question: str, consents: ConsentStore, records: RecordStore) -> int:
    """The exact count: patients with a record in the data set whom the gate would admit. Never leaves the worker."""
    inquiry = mirror.standing(f"access/inquiry/{question}").get()
    dataset, version = inquiry.body["dataset"], inquiry.body["version"]
    patients = {patient for kind in (TRAINING, EVALUATION) for patient in records.patients(dataset, version, kind)}
    asker, worker = seat(inquiry.body["requester"]), seat(settings.NODE.msp)
    purpose = seated(convert(inquiry.body["purpose"], Purpose), asker=asker, worker=worker)
    gate = Gate(purpose, inquiry.body["inquired"], inquiry.block)
    return len(gate.admit(consents.standings(patients)))


def send(answer: CountAnswer) -> bool:
    """Give the kept answer to the ledger; False when it is refused there. Once the month's answers are used up, the
    answer becomes None ("not shown"), which costs nothing."""
    try:
        submit(answer)
    except Refused as refusal:
        if refusal.code == EXHAUSTED and answer.answer is not None:
            answer.answer = None
            answer.save()
            return send(answer)
        log.warning("count refused", code=refusal.code)
        CountAnswer.objects.filter(pk=answer.pk).update(refusal=refusal.code)
        return False
    CountAnswer.objects.filter(pk=answer.pk).update(sent=True)
    return True


def submit(answer: CountAnswer) -> None:
    dataset, version, purpose, month = parts(answer.question)
    said = {"dataset": dataset, "version": version, "purpose_digest": purpose, "month": month}
    ledger.submit("site", "budget:Answer", {**said, "sigma": SIGMA, "answer": answer.answer})


def parts(question: str) -> tuple[str, int, str, str]:
    """Data set, version, purpose digest and month of a question's name."""
    dataset, version, purpose, month = question.rsplit("/", 3)
    assert dataset.startswith(f"{settings.NODE.msp}/")
    return dataset, int(version), purpose, month
