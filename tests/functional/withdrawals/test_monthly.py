"""Researchers and committees read one line a hospital about a month that is over, the same wherever they look."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from portal.reactor.models import Event, Record
from portal.withdrawals import monthly

pytestmark = pytest.mark.django_db
NOW = datetime(2027, 3, 14, tzinfo=UTC)


def seconds(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp())


def hospitals(*names: str) -> None:
    for name in names:
        body = {"msp": f"{name}MSP", "name": name, "kind": "hospital" if name != "Institute" else "institute"}
        Record.objects.create(key=f"members/org/{name}MSP", body=body, block=1, tx_id="")


def withdrawn(number: int, day: str, hospital: str | None = "AlphaMSP", by: str = "patient") -> None:
    """As `consents:Withdraw` announces it, with the key that names the hospital's last one."""
    commitment = f"{number:064x}"
    record = {"commitment": commitment, "hospital": hospital, "withdrawn": seconds(day), "withdrawn_by": by}
    records = {f"consents/{commitment}": record, f"consents/last/{hospital}": {"commitment": commitment}}
    Event.objects.create(
        block=10 + Event.objects.count(), index=0, tx_id="", name="consents.withdrawn", body={"records": records}
    )


def lines() -> dict[str, str]:
    return {line.title: line.count for line in monthly.last(NOW).lines}


def test_few_and_none_read_alike_and_many_as_a_range():
    hospitals("Alpha", "Beta", "Institute")
    for number in range(19):
        withdrawn(number, "2027-02-03")
    assert lines() == {"Alpha": "fewer than 20", "Beta": "fewer than 20"}
    withdrawn(19, "2027-02-28")
    assert lines() == {"Alpha": "20-49", "Beta": "fewer than 20"}


def test_only_the_month_that_is_over_counts_and_each_consent_once():
    hospitals("Alpha")
    for number in range(18):
        withdrawn(number, "2027-02-10")
    for day, number in (("2027-01-31", 100), ("2027-03-01", 101), ("2027-02-11", 0), ("2027-02-11", 1)):
        withdrawn(number, day)
    withdrawn(200, "2027-02-11", hospital=None)  # of a consent that was never recorded
    assert lines() == {"Alpha": "fewer than 20"}
    assert monthly.last(NOW).first == datetime(2027, 2, 1, tzinfo=UTC)


def test_every_study_shows_the_same_line(desks):
    from tests.support.studies import approved

    studies = [approved(desks, desks.dataset()) for _ in range(2)]
    pages = [desks.page("researcher", f"/studies/{study}/") for study in studies]
    shown = [page.split("Withdrawals in")[1].split("</ul>")[0] for page in pages]
    assert shown[0] == shown[1] and shown[0].count("fewer than 20") == 4
