"""The demo's patient with a passkey, over HTTP on a real ledger: set up, signed anew, withdrawn; each step once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import pytest

from ledger.contracts import members
from portal import ledger as portal_ledger
from portal.demo import hospital
from portal.demo.consortium import founding_organisations
from portal.demo.layout import HOSPITALS, Choices, Layout, port_of, write_json
from portal.demo.people import wishes
from portal.demo.steps import WITHDRAWING, Steps
from portal.patients import services
from portal.patients.models import Grant, Passkey


@dataclass
class Here:
    """The hospital's shell, in this process. `catch_up`: what its reactor does."""

    catch_up: Any

    def ask(self, _: str, action: str, **arguments: Any) -> Any:
        self.catch_up()
        return getattr(hospital, action)(**arguments)


@dataclass
class Watched:
    closed: int = 1


@pytest.mark.django_db(transaction=True)
def test_one_patient_of_the_demo_signs_and_withdraws_with_a_passkey(address, catch_up, tmp_path):
    patient = services.enrol([("row-of-the-demo",)])[0]
    password = services.open_account(patient=patient, username=WITHDRAWING)
    now = services.this_month()
    old = services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")
    catch_up()
    port = int(address.rpartition(":")[2]) - port_of(HOSPITALS[0], 0)
    layout, said = Layout(tmp_path), list[str]()
    steps = Steps(layout, Choices(port, 1, "5", 4, "s", "r", "p"), Here(catch_up), Watched(), said.append, Watched)  # type: ignore[arg-type]
    write_json(steps.personas_file, {HOSPITALS[0].name: {WITHDRAWING: password}})
    steps.passkey()
    steps.passkey()  # asked again, as by a second run: nothing more happens
    new = Grant.objects.get(replaces=old)
    assert (new.attestation, new.status, Passkey.objects.count()) == ("passkey", "recorded", 1)
    steps.withdraw()
    catch_up()
    new.refresh_from_db()
    assert (new.status, new.withdrawn_by) == ("withdrawn", "patient")
    assert portal_ledger.evaluate("site", "consents:Get", {"commitment": new.commitment})["attestation"] == "passkey"
    assert json.loads((tmp_path / "passkey.json").read_text())["counter"] == 3
    assert "made by a program" in said[0]


def test_every_tenth_patient_of_the_demo_signed_on_paper(ledger, catch_up, db):
    catch_up()
    wanted = wishes([f"row-{number}" for number in range(40)], "cleveland", 42, date(2026, 1, 1))
    papers = [hospital.paper(number, one) for number, one in enumerate(wanted)]
    assert [number for number, one in enumerate(papers) if one] == [9, 19, 29, 39]
    now, patients = services.this_month(), services.enrol([(one.patient,) for one in wanted])
    asked = zip(patients, papers, strict=True)
    services.give_all([services.Wish(one, "heart-disease", now, now, document=paper) for one, paper in asked])
    catch_up()
    recorded = Grant.objects.filter(status="recorded").values_list("attestation", flat=True)
    assert Counter(recorded) == {"portal-key": 36, "hospital-attested": 4}


def test_the_demos_hospitals_have_addresses_for_passkeys():
    for one in founding_organisations(8600):
        members.checked(msgspec.convert(one, members.Organisation))
