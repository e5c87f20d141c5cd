"""Withdrawal: from the button, or another hospital's page, to a gate that leaves the patient out; and what rests on it.

On the embedded ledger in a process of its own, with the hospital's reactor in another: a page's withdrawal counts from
its own store at once, one from elsewhere when its block has come. The impact report is of a patient who was in a
thousand rounds. The baseline of the first two is one confirmed write, of the last the rows read once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.claims import claim  # noqa: E402

PATIENTS, STUDIES, ROUNDS = 10, 5, 200
ELSEWHERE = "HungaryMSP"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = served(Path(folder))
        try:
            node(Path(folder), ledger)
            follower = subprocess.Popen([sys.executable, "-m", "portal.manage", "follow"])
            try:
                withdrawals(ledger)
            finally:
                follower.terminate()
                follower.wait(20)
        finally:
            ledger.stop()
        impact()


def served(folder: Path) -> Any:
    """A founded embedded ledger with the consent text published."""
    from ledger.embedded.create import create
    from ledger.identity.ca import Authority
    from tests.functional.node import HOSPITALS, INSTITUTE, portal_for_tests

    portal_for_tests()  # only so that the fixtures' module can be imported
    from tests.functional.conftest import LedgerProcess, organisations

    authorities = {name: Authority.create(name, f"ca.{name}") for name in (*HOSPITALS, INSTITUTE)}
    made = LedgerProcess(
        folder / "ledger", authorities, create(folder / "ledger", authorities, list(HOSPITALS), [INSTITUTE])
    )
    made.start()
    made.submit("steward", "members:Found", {"organisations": organisations()})
    return made


def node(folder: Path, ledger: Any) -> None:
    """This process, and those it starts, as a hospital on `ledger`, with an empty store."""
    from django.conf import settings
    from django.core.management import call_command

    from portal import config
    from tests.functional.node import HOSPITAL, ROLES, make_node

    place = {"address": ledger.place.address, "tls_ca": str(ledger.place.tls_ca)}
    file = make_node(folder / "node", "hospital", ledger=place)
    for role in ROLES["hospital"]:
        ledger.authorities[HOSPITAL].issue(role, [role]).save(folder / "node" / role)
    os.environ["COVENANT_NODE"] = str(file)
    settings.NODE = config.load(file)
    settings.DATABASES["default"]["NAME"] = str(folder / "node" / "node.sqlite")
    call_command("migrate", verbosity=0)
    from portal.patients import texts

    ledger.submit("steward", "consents:PublishText", texts.publication())


def withdrawals(ledger: Any) -> None:
    from django.test import Client

    from portal import ledger as portal_ledger
    from portal.accounts.models import Role
    from portal.accounts.services import create_user
    from portal.patients import services
    from portal.patients.models import Grant, Key, Status
    from portal.withdrawals.handed import Handed

    patients = services.enrol([(f"row-{number}",) for number in range(2 * PATIENTS)])
    now = services.this_month()
    started = time.perf_counter()
    for patient in patients:
        services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    write = (time.perf_counter() - started) / len(patients)
    until(lambda: not Grant.objects.exclude(status=Status.RECORDED).exists(), 60)
    grants = {grant.patient_id: grant for grant in Grant.objects.all()}
    user, _ = create_user(username="patient", role=Role.PATIENT)
    here, elsewhere = [], []
    for patient in patients[:PATIENTS]:
        patient.account = user
        patient.save(update_fields=["account"])
        client = Client(headers={"host": "cleveland.localhost"})
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        page = f"/consent/{grants[patient.pk].pk}/withdraw/"
        assert client.get(page).status_code == 200 and not left_out(patient.pk)
        started = time.perf_counter()
        assert client.post(page).status_code == 302
        until(partial(left_out, patient.pk), 10)
        here.append(time.perf_counter() - started)
        patient.account = None
        patient.save(update_fields=["account"])
    for patient in patients[PATIENTS:]:
        grant, key = grants[patient.pk], Key.objects.get(patient=patient)
        handed = Handed(bytes(grant.statement), bytes(key.public), bytes(grant.code), None)
        arguments = {"commitment": grant.commitment, "by": "code"}
        started = time.perf_counter()
        portal_ledger.submit("site", "consents:Withdraw", arguments, handed.evidence)
        until(partial(left_out, patient.pk), 10)
        elsewhere.append(time.perf_counter() - started)
    for name, seconds in (("on the page", here), ("from elsewhere", elsewhere)):
        worst = max(seconds)
        print(f"withdrawal {name}: enforced after {statistics.median(seconds):.3f} s, at most {worst:.3f} s of "
              f"{len(seconds)} (baseline one confirmed consent: {write:.3f} s)")  # fmt: skip
        claim(f"withdrawal {name} to the gate", worst, "s", at_most=1, baseline=("a confirmed consent", write))
    portal_ledger.close()


def left_out(patient: uuid.UUID) -> bool:
    """Whether the gate would keep the patient out of a cohort frozen now."""
    from consent.purpose import Purpose
    from portal.grid.stores import NOW, Consents
    from training.site.gate import Gate

    purpose = Purpose.of("DUO:0000007", ["MONDO:0005267"], commercial=False, for_profit=False)
    return not Gate(purpose, int(time.time()), NOW).admit(Consents().standings([str(patient)]))


def until(holds: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"not within {seconds} s")
        time.sleep(0.005)


def impact() -> None:
    """A patient in every round of a few long studies, beside other hospitals' rows."""
    from portal.patients import impact as reports
    from portal.patients.models import Cohort, CohortEntry, Grant
    from portal.reactor.models import Record

    grant = Grant.objects.first()
    assert grant is not None
    for _ in range(STUDIES):
        study = str(uuid.uuid4())
        Record.objects.bulk_create(
            [Record(key=key, body=body, block=1, tx_id="") for key, body in records(study).items()]
        )
        for number in range(1, ROUNDS + 1):
            row = Cohort.objects.create(study=study, round=number, attempt=1, kind="training", root=f"{number:064x}")
            CohortEntry.objects.create(cohort=row, patient=grant.patient, grant=grant, key=bytes(32))
    list(Record.objects.values_list("key", "body"))
    started = time.perf_counter()
    list(CohortEntry.objects.filter(grant=grant).select_related("cohort"))
    baseline = (time.perf_counter() - started) * 1000
    taken, worked = [], []
    for _ in range(5):
        started, began = time.perf_counter(), time.process_time()
        found = reports.of_patient(grant.patient)
        taken.append((time.perf_counter() - started) * 1000)
        worked.append((time.process_time() - began) * 1000)
    if (found.rounds, len(found.models)) != (STUDIES * ROUNDS, STUDIES):
        sys.exit("the report is of something else")
    print(f"impact of {found.rounds} rounds: {taken[0]:.0f} ms at first, {statistics.median(taken):.0f} ms after, "
          f"{statistics.median(worked):.0f} ms of one core (baseline those rows: {baseline:.0f} ms)")  # fmt: skip
    claim("impact report, 1,000 rounds", max(taken), "ms", at_most=200, baseline=("the rows alone", baseline))


def records(study: str) -> dict[str, Any]:
    """A released study of four hospitals, as their mirrors hold it."""
    request, places = str(uuid.uuid4()), ("ClevelandMSP", "HungaryMSP", "LongBeachMSP", "SwitzerlandMSP")
    privacy = {"sigma": "30", "q": "0.1", "steps": 2, "delta": "0.0001"}
    plan = {
        "title": "Hearts", "request": request, "rounds": ROUNDS, "on_withdrawal": "finish", "privacy": privacy,
        "metrics": {"sigma": "60"}, "datasets": [{"dataset": f"{msp}/heart", "version": 1} for msp in places],
    }  # fmt: skip
    found: dict[str, Any] = {
        f"studies/study/{study}": {"study": study, "sponsor": "InstituteMSP", "status": "released", "plan": plan},
        f"studies/head/{study}": {"round": ROUNDS + 1, "status": "closed"},
        f"studies/release/{study}": {"model": "11" * 32, "certificate": "22" * 32},
        f"access/request/{request}": {"purpose": {"duo": "DUO:0000007", "diseases": ["MONDO:0005267"]}},
        f"access/entitlement/{request}/ClevelandMSP/heart/1": {"until": "2027-06-30", "status": "live"},
    }
    for number in range(1, ROUNDS + 1):
        found[f"studies/round/{study}/{number}/1"] = {"round": number, "attempt": 1}
        for msp in places:
            found[f"studies/cohort/{study}/{number}/1/{msp}"] = {"root": "33" * 32}
            found[f"studies/update/{study}/{number}/1/{msp}"] = {"digest": "44" * 32}
    return found


if __name__ == "__main__":
    main()
