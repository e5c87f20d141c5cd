"""An older copy of the ledger that was put back, or another history, is refused until the right one is there again."""

from __future__ import annotations

import shutil

import pytest

from portal import ledger as portal_ledger
from portal.demo import doctor
from portal.errors import LedgerUnavailable
from portal.grid.ledgers import Mirror
from portal.reactor import witness
from portal.reactor.models import Witness

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_marker(ledger):
    """The folder is shared with other tests."""
    yield
    witness.marker().unlink(missing_ok=True)


def pause(ledger, *switch):
    for paused in switch:
        ledger.submit("steward", "studies:Pause", {"paused": paused})


def served_from(ledger, copy):
    """The same address and keys, over the files in `copy`."""
    ledger.stop()
    shutil.rmtree(ledger.directory)
    shutil.copytree(copy, ledger.directory)
    ledger.start()
    ledger.await_ready()


def test_an_older_ledger_is_refused_and_so_is_one_that_grew_again(ledger, tmp_path, steward, visitor):
    Mirror().check()
    ledger.stop()
    shutil.copytree(ledger.directory, tmp_path / "old")
    ledger.start()
    ledger.await_ready()
    try:
        pause(ledger, True, False)
        Mirror().check()
        seen = Witness.objects.get()
        ledger.stop()
        shutil.copytree(ledger.directory, tmp_path / "new")
        served_from(ledger, tmp_path / "old")

        with pytest.raises(witness.OtherLedger) as refused:
            Mirror().check()
        assert refused.value.code == "portal.ledger-behind"
        page = visitor(steward).get("/", follow=True).content.decode()
        assert "portal.ledger-behind" in page and "restore its newest backup" in page

        pause(ledger, True, False, True)
        with pytest.raises(witness.OtherLedger) as refused:
            Mirror().check()
        assert refused.value.code == "portal.ledger-other" == witness.fault()
        assert Witness.objects.get().header_hash == seen.header_hash
    finally:
        served_from(ledger, tmp_path / "new")
    Mirror().check()
    assert witness.fault() == "" and "portal.ledger" not in visitor(steward).get("/", follow=True).content.decode()


def test_a_ledger_that_is_away_is_no_other_ledger(ledger):
    Mirror().check()
    ledger.stop()
    try:
        with pytest.raises(LedgerUnavailable):
            Mirror().check()
        assert witness.fault() == ""
    finally:
        ledger.start()
    ledger.await_ready()
    Mirror().check()


def test_what_was_seen_only_grows(ledger):
    Mirror().check()
    head = portal_ledger.gateway(portal_ledger.reader()).head()
    witness.remember(type(head)(head.height - 1, b"\0" * 32))
    assert (Witness.objects.get().height, Witness.objects.get().header_hash) == (head.height, head.hash.hex())


def test_a_mirror_that_is_ahead_of_the_ledger_counts_as_seen(ledger, catch_up):
    from portal.reactor.models import Position

    head = catch_up()
    Position.objects.update(block=head + 1)
    with pytest.raises(witness.OtherLedger, match="ledger-behind"):
        Mirror().check()


def test_the_doctor_names_the_node_and_the_remedy(tmp_path):
    assert doctor.ledger(tmp_path).state == "ok"
    (tmp_path / "hungary" / "data").mkdir(parents=True)
    (tmp_path / "hungary" / "data" / "ledger.fault").write_text("portal.ledger-behind")
    found = doctor.ledger(tmp_path)
    assert (found.state, found.detail) == ("missing", "hungary: portal.ledger-behind")
    assert "covenant restore --ledger" in found.mend and not doctor.healthy([found])
