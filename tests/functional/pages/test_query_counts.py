"""A list asks the database as often for ten rows as for two: the lists of stewards and of the hub."""

from __future__ import annotations

import copy
import time
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.reactor.models import Record
from tests.support.desks import HOSPITAL
from tests.support.studies import approved

pytestmark = pytest.mark.django_db
LISTS = [
    *[("steward", f"/{path}") for path in ("catalogue/", "access/", "studies/", "studies/budget/")],
    *[("steward", f"/{path}") for path in ("governance/", "desk/")],
    *[(role, f"/{path}") for role in ("researcher", "auditor") for path in ("catalogue/", "access/", "studies/")],
    ("auditor", "/audit/refused/"),
]
COPIED = ("access/request/", "studies/study/", "catalogue/dataset/", "governance/proposal/")


def test_lists_do_not_ask_for_each_row(desks):
    slug = desks.dataset()
    approved(desks, slug)
    action = {"kind": "declare-disjoint", "hospitals": [HOSPITAL, "HungaryMSP"]}
    proposal = {"proposal": str(uuid.uuid4()), "action": action, "deadline": int(time.time()) + 3600}
    desks.ledger.submit("steward", "governance:Propose", proposal)
    desks.follow()
    few = {place: queries(desks, *place) for place in LISTS}
    for _ in range(8):
        more()
    many = {place: queries(desks, *place) for place in LISTS}
    grown = {place: (few[place], many[place]) for place in LISTS if many[place] > few[place]}
    assert not grown
    assert max(many.values()) <= 20, many


def more() -> None:
    """One more of each kind of record, with what hangs on it, under names of their own."""
    names = {prefix: Record.objects.filter(key__startswith=prefix).first() for prefix in COPIED}
    assert all(names.values())
    for prefix, row in names.items():
        body, field = copy.deepcopy(row.body), prefix.split("/")[1]
        if field == "dataset":
            body["version"] = Record.objects.filter(key__startswith=prefix).count() + 1
            key = f"{prefix}{body['dataset']}/{body['version']}"
        else:
            body[field] = str(uuid.uuid4())
            key = f"{prefix}{body[field]}"
        Record.objects.create(key=key, body=body, block=row.block, tx_id=row.tx_id)
        if field == "study":
            held = Record.objects.filter(key__startswith=f"budget/reservation/{HOSPITAL}/").first()
            assert held is not None
            key = f"budget/reservation/{HOSPITAL}/{body['study']}"
            Record.objects.create(key=key, body=held.body, block=held.block, tx_id=held.tx_id)


def queries(desks, role: str, path: str) -> int:
    client = desks.at(role)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(path).status_code == 200
    return len(asked)
