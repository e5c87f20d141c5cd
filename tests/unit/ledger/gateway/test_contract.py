"""The two doors, and what comes back when they stay shut; against a real embedded ledger."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from ledger.errors import Refused
from ledger.gateway import CommitError, CommitStatusError, EndorseError, EvaluateError, GatewayError, SubmitError
from ledger.gateway.retry import Retry
from ledger.identity.ca import Authority
from tests.unit.ledger.gateway.conftest import HOSPITALS


def text(name: str) -> dict[str, object]:
    return {"text": name, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}


def test_what_is_submitted_is_answered_and_can_be_read(ledger: SimpleNamespace) -> None:
    done = ledger.gateway.contract.submit("consents:PublishText", text("heart-1"))
    assert done.result["text"] == "heart-1"
    assert done.block > ledger.founded.block and len(done.tx_id) == 64
    assert ledger.gateway.contract.evaluate("consents:Text", {"text": "heart-1"}) == done.result
    assert ledger.gateway.contract.evaluate("consents:Text", {"text": "other"}) is None


def test_a_contracts_refusal_keeps_its_code(ledger: SimpleNamespace) -> None:
    with pytest.raises(Refused) as refusal:
        ledger.gateway.contract.submit("consents:WithdrawByRegistrar", {"commitment": "00" * 32})
    assert refusal.value.code == "role.missing"
    with pytest.raises(Refused) as refusal:
        ledger.gateway.contract.evaluate("consents:Nothing", {})
    assert refusal.value.code == "function.unknown"


def test_a_proposal_an_hour_off_is_refused_and_nothing_is_written(ledger: SimpleNamespace) -> None:
    before = ledger.gateway.head()
    for seconds in (-3600, 3600):
        late = ledger.gateway.contract.proposal("consents:PublishText", text("late"), timestamp=time.time() + seconds)
        with pytest.raises((Refused, GatewayError)) as refusal:
            late.endorse()
        assert refusal.value.code == "host.clock-skew"
    assert ledger.gateway.head() == before


def test_a_foreign_or_expired_certificate_is_refused_with_the_step_it_failed_in(ledger: SimpleNamespace) -> None:
    foreign = Authority.create(HOSPITALS[0], "ca.false").issue("steward", ["steward"])
    old = datetime.now(UTC) - timedelta(minutes=30)
    expired = ledger.server.issue("steward", not_after=old)
    for identity, code in ((foreign, "identity.foreign-ca"), (expired, "identity.expired")):
        with ledger.server.connect(identity) as gateway, pytest.raises(EndorseError) as error:
            gateway.contract.submit("consents:PublishText", text("stranger"))
        assert error.value.code == code
        assert error.value.status == "PERMISSION_DENIED"
        assert error.value.details[0].organisation == HOSPITALS[0]
        assert len(error.value.tx_id or "") == 64


def test_an_unreachable_ledger_is_named_in_the_step(ledger: SimpleNamespace) -> None:
    from ledger.gateway import connect

    ca = (ledger.server.directory / "tls" / "ca.pem").read_bytes()
    with connect("127.0.0.1:9", ca, ledger.steward) as gateway:
        with pytest.raises(EvaluateError) as error:
            gateway.contract.evaluate("members:List", {})
        assert (error.value.code, error.value.status) == ("gateway.evaluate-failed", "UNAVAILABLE")
        with pytest.raises(EndorseError):
            gateway.contract.submit("members:List", {})


def test_a_server_of_another_authority_is_not_spoken_to(ledger: SimpleNamespace) -> None:
    from ledger.gateway import connect

    address = ledger.server.address
    other = Authority.create("OtherMSP", "ca.other").pem
    with connect(f"127.0.0.1:{address['port']}", other, ledger.steward) as gateway, pytest.raises(EvaluateError):
        gateway.contract.evaluate("members:List", {})


def test_a_closed_gateway_says_so(ledger: SimpleNamespace) -> None:
    gateway = ledger.server.connect(ledger.steward)
    gateway.close()
    with pytest.raises(EvaluateError) as error:
        gateway.contract.evaluate("members:List", {})
    assert error.value.code == "gateway.closed"


def test_lost_races_are_run_again_until_each_act_stands(ledger: SimpleNamespace) -> None:
    """Ten threads publish the same text at once: they conflict, and every one ends with the same record."""
    contract = ledger.gateway.contract
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: contract.submit("consents:PublishText", text("race")), range(10)))
    assert all(each.result == done[0].result for each in done)
    assert len({each.tx_id for each in done}) == 10


def test_without_retries_a_lost_race_is_a_commit_error_with_fabrics_reason(ledger: SimpleNamespace) -> None:
    first, second = (ledger.gateway.contract.proposal("consents:PublishText", text("lost")).endorse() for _ in range(2))
    assert first.submit().status().valid
    status = second.submit().status()
    assert (status.valid, status.name, status.conflict) == (False, "MVCC_READ_CONFLICT", True)


def test_the_retry_is_bounded_and_only_for_lost_races() -> None:
    retry = Retry(attempts=3, pause=0.01, longest=0.02)
    assert all(0 <= retry.delay(attempt) <= 0.02 for attempt in range(20))
    lost = CommitError("commit.mvcc-read-conflict", "lost", validation="MVCC_READ_CONFLICT")
    assert retry.worthwhile(lost)
    assert not retry.worthwhile(CommitError("commit.duplicate-txid", "twice", validation="DUPLICATE_TXID"))
    for kind in (SubmitError, CommitStatusError, EndorseError):
        assert not retry.worthwhile(kind("gateway.failed", "no"))
    assert retry.worthwhile(EndorseError("gateway.endorse-failed", "ProposalResponsePayloads do not match"))


def test_the_head_is_the_number_of_blocks_and_the_last_ones_hash(ledger: SimpleNamespace) -> None:
    from ledger.protocol.block import open_block

    data = list(ledger.gateway.blocks())
    head = ledger.gateway.head()
    assert head.height == len(data)
    assert head.hash == open_block(data[-1]).hash
    assert list(ledger.gateway.blocks(1, 1)) == data[1:2]
    with pytest.raises(GatewayError) as error:
        list(ledger.gateway.blocks(0, head.height))
    assert error.value.code == "blocks.missing"
