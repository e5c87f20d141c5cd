"""The end of an embargo is noticed: a study whose model waited for it goes on by itself."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from consent import duo
from portal.grid import embargoes, hub, sweep
from portal.grid.models import State, StudyRun
from portal.reactor.models import Record

pytestmark = pytest.mark.django_db
EVE, DAY = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def held(promised=None, terms=(), reason=embargoes.HELD):
    """A study that the hub holds; `promised`: the researcher's day; `terms`: those of its data sets."""
    study, request = str(uuid.uuid4()), str(uuid.uuid4())
    datasets = [{"dataset": f"AlphaMSP/{study}-{number}", "version": 1} for number in range(len(terms) or 1)]
    asking = None if promised is None else {"publishes_from": promised}
    records = {
        f"studies/study/{study}": {"study": study, "plan": {"request": request, "datasets": datasets}},
        f"access/request/{request}": {"purpose": {"asking": asking}},
    }
    for one, day in zip(datasets, terms or (None,), strict=True):
        conditions = [] if day is None else [{"term": duo.MOR, "values": [day]}, {"term": duo.TS, "values": ["12"]}]
        records[f"catalogue/dataset/{one['dataset']}/1"] = {"conditions": conditions}
    Record.objects.bulk_create([Record(key=key, body=body, block=1, tx_id="0") for key, body in records.items()])
    StudyRun.objects.create(study=study, state=State.HELD, reason=reason)
    return study


def test_it_is_over_with_the_latest_of_its_days():
    first = held("2027-01-01", ("2026-06-01", None))
    second = held(None, ("2026-06-01", "2027-01-01"))
    held("2027-01-02")
    held("2026-01-01", reason="hub.held")
    assert list(embargoes.over(EVE)) == []
    assert set(embargoes.over(DAY)) == {first, second}


def test_the_sweep_goes_on_with_it(monkeypatch):
    sent = []
    monkeypatch.setattr(hub, "send", sent.append)
    over, waiting = held("2020-01-01"), held("2199-01-01")
    sweep.hub()
    assert sent == [over]
    assert {str(run.study): run.state for run in StudyRun.objects.all()} == {over: State.QUEUED, waiting: State.HELD}
