"""A gateway that answers with something else than was asked: the client must not sign it, nor believe it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc
from fabric_protos.peer import transaction_pb2

from ledger.embedded import tls
from ledger.errors import Refused
from ledger.gateway import (
    CommitError,
    CommitStatusError,
    EndorseError,
    Gateway,
    SubmitError,
    connect,
    contract,
    rpc_status,
)
from ledger.gateway.contract import Contract
from ledger.gateway.retry import Retry
from ledger.protocol import envelope, proposal, rwset
from tests.unit.ledger.verify.forge import VERSION, Forge

REFUSAL = "chaincode response 500, members.unknown: this organisation is not a member of the consortium"
UNPLANNED = (
    "no combination of peers can be derived which satisfy the endorsement policy: "
    "required chaincodes are not installed on sufficient peers"
)
UNHEARD = "failed to find any endorsing peers for org(s): DeltaMSP"


class Liar(gateway_pb2_grpc.GatewayServicer):  # type: ignore[misc]  # generated code is untyped
    """Endorses what `bend` makes of a proposal; then answers as `statuses` and `codes` say, in turn."""

    def __init__(self) -> None:
        self.bend: Callable[[proposal.Proposal], proposal.Proposal] = lambda asked: asked
        self.unheard = (grpc.StatusCode.FAILED_PRECONDITION, UNPLANNED)
        self.failures: list[grpc.StatusCode] = []
        self.orderers: list[str] = []  # what orderers said to each failed submission, in turn
        self.codes: list[int] = []
        self.submitted: list[bytes] = []
        self.proposed = self.evaluated = self.refusals = self.unplanned = 0
        self.accepts = True  # whether Evaluate does
        self.answers = threading.Event()  # CommitStatus waits for it
        self.answers.set()

    def Endorse(self, request: Any, context: Any) -> Any:
        self.proposed += 1
        if self.unplanned:
            self.unplanned -= 1
            context.abort(*self.unheard)
        if self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.ABORTED, REFUSAL)
        asked = self.bend(proposal.open_proposal(request.proposed_transaction.proposal_bytes))
        endorsed = envelope.endorsed_bytes(asked, rwset.build("covenant", {}, {}), b"{}", None, VERSION)
        return gateway_pb2.EndorseResponse(
            prepared_transaction=common_pb2.Envelope(payload=envelope.assemble(asked, endorsed, []))
        )

    def Evaluate(self, request: Any, context: Any) -> Any:
        self.evaluated += 1
        if not self.accepts:
            context.abort(grpc.StatusCode.UNKNOWN, REFUSAL)
        return gateway_pb2.EvaluateResponse()

    def Submit(self, request: Any, context: Any) -> Any:
        self.submitted.append(request.prepared_transaction.payload)
        if self.failures:
            if self.orderers:
                said = gateway_pb2.ErrorDetail(message=self.orderers.pop(0))
                context.set_trailing_metadata([(rpc_status.METADATA_KEY, rpc_status.pack(14, "", [said]))])
            context.abort(self.failures.pop(0), "insufficient number of orderers")
        return gateway_pb2.SubmitResponse()

    def CommitStatus(self, request: Any, context: Any) -> Any:
        self.answers.wait(5)
        code = self.codes.pop(0) if self.codes else transaction_pb2.VALID
        return gateway_pb2.CommitStatusResponse(result=code, block_number=5)


@pytest.fixture
def liar(tmp_path: Path) -> Iterator[tuple[Liar, Gateway]]:
    tls.create(tmp_path)
    key, certificate = (tmp_path / "server.key").read_bytes(), (tmp_path / "server.pem").read_bytes()
    server, servicer = grpc.server(ThreadPoolExecutor(4)), Liar()
    gateway_pb2_grpc.add_GatewayServicer_to_server(servicer, server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    server.start()
    with connect(f"127.0.0.1:{port}", (tmp_path / "ca.pem").read_bytes(), Forge().client("steward")) as gateway:
        yield servicer, gateway
    server.stop(None)


def other_call(asked: proposal.Proposal) -> proposal.Proposal:
    """The same headers, so the same creator and id, over another function."""
    heading = asked.heading
    data = proposal.build(
        channel=heading.channel,
        chaincode=heading.chaincode,
        args=[b"consents:Withdraw", b"{}"],
        creator=heading.creator,
        nonce=heading.nonce,
        seconds=heading.seconds,
        nanos=heading.nanos,
    )
    return proposal.open_proposal(data)


def other_time(asked: proposal.Proposal) -> proposal.Proposal:
    heading = asked.heading
    data = proposal.build(
        channel=heading.channel,
        chaincode=heading.chaincode,
        args=asked.args,
        creator=heading.creator,
        nonce=heading.nonce,
        seconds=heading.seconds + 60,
        nanos=heading.nanos,
    )
    return proposal.open_proposal(data)


@pytest.mark.parametrize("bend", [other_call, other_time])
def test_another_transaction_is_not_signed(
    liar: tuple[Liar, Gateway], bend: Callable[[proposal.Proposal], proposal.Proposal]
) -> None:
    servicer, gateway = liar
    servicer.bend = bend
    with pytest.raises(EndorseError) as error:
        gateway.contract.submit("members:List", {})
    assert error.value.code == "gateway.endorsed-other"
    assert servicer.submitted == []


def test_an_overloaded_ordering_service_gets_the_same_bytes_again(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    servicer.failures = [grpc.StatusCode.UNAVAILABLE] * 2
    assert gateway.contract.submit("members:List", {}).block == 5
    assert servicer.proposed == 1 and len(servicer.submitted) == 3 and len(set(servicer.submitted)) == 1


def test_taken_the_first_time_after_all_is_no_error(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    servicer.failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ALREADY_EXISTS]
    assert gateway.contract.submit("members:List", {}).block == 5


@pytest.mark.parametrize("said", ["request already processed", "request already exists"])
def test_what_orderers_refuse_because_they_have_it_is_not_sent_again(liar: tuple[Liar, Gateway], said: str) -> None:
    servicer, gateway = liar
    servicer.failures = [grpc.StatusCode.UNAVAILABLE]
    servicer.orderers = [f"rejected by Order: failed to submit request: {said}"]
    assert gateway.contract.submit("members:List", {}).block == 5
    assert len(servicer.submitted) == 1


def test_orderers_without_a_leader_are_asked_until_the_time_is_up(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    contract = Contract(gateway.contract._connection, Retry(attempts=3, pause=0.0001))
    servicer.failures = [grpc.StatusCode.UNAVAILABLE] * 20
    servicer.orderers = ["no leader"] * 20
    assert contract.submit("members:List", {}).block == 5
    assert len(servicer.submitted) == 21
    servicer.failures = [grpc.StatusCode.UNAVAILABLE] * 3
    with pytest.raises(SubmitError):
        contract.submit("members:List", {})
    servicer.failures, servicer.orderers = [grpc.StatusCode.UNAVAILABLE] * 9999, ["no leader"] * 9999
    with pytest.raises(SubmitError):
        contract.submit("members:List", {}, timeout=0.2)


def test_another_failure_of_submit_is_told_at_once(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    servicer.failures = [grpc.StatusCode.RESOURCE_EXHAUSTED]
    with pytest.raises(SubmitError):
        gateway.contract.submit("members:List", {})
    assert len(servicer.submitted) == 1


def test_lost_races_are_proposed_anew_a_bounded_number_of_times(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    contract = Contract(gateway.contract._connection, Retry(attempts=3, pause=0.001))
    servicer.codes = [transaction_pb2.MVCC_READ_CONFLICT] * 2
    assert contract.submit("members:List", {}).block == 5
    assert servicer.proposed == 3 and len(set(servicer.submitted)) == 3
    servicer.codes = [transaction_pb2.PHANTOM_READ_CONFLICT] * 9
    with pytest.raises(CommitError) as error:
        contract.submit("members:List", {})
    assert (error.value.code, error.value.validation) == ("commit.phantom-read-conflict", "PHANTOM_READ_CONFLICT")
    assert servicer.proposed == 6


@pytest.mark.parametrize(
    "said", [(grpc.StatusCode.FAILED_PRECONDITION, UNPLANNED), (grpc.StatusCode.UNAVAILABLE, UNHEARD)]
)
def test_a_peer_that_has_not_heard_of_the_others_yet_is_asked_again_for_some_seconds(
    liar: tuple[Liar, Gateway], monkeypatch: pytest.MonkeyPatch, said: tuple[grpc.StatusCode, str]
) -> None:
    servicer, gateway = liar
    servicer.unheard = said
    patient = Contract(gateway.contract._connection, Retry(attempts=2, pause=0.0001))
    servicer.unplanned = 10
    assert patient.submit("members:List", {}).block == 5
    assert servicer.proposed == 11
    monkeypatch.setattr(contract, "SETTLING", 0.2)
    servicer.unplanned = 99_999
    with pytest.raises(EndorseError):
        patient.submit("members:List", {})


def test_any_other_verdict_is_final(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    servicer.codes = [transaction_pb2.ENDORSEMENT_POLICY_FAILURE]
    with pytest.raises(CommitError) as error:
        gateway.contract.submit("members:List", {})
    assert (error.value.code, error.value.block) == ("commit.endorsement-policy-failure", 5)
    assert servicer.proposed == 1


def test_an_outcome_that_does_not_come_is_named_as_unknown(liar: tuple[Liar, Gateway]) -> None:
    servicer, gateway = liar
    servicer.answers.clear()
    with pytest.raises(CommitStatusError) as error:
        gateway.contract.submit("members:List", {}, timeout=0.5)
    assert error.value.status == "DEADLINE_EXCEEDED" and error.value.tx_id
    servicer.answers.set()


def test_what_no_block_holds_after_a_while_is_sent_again(
    liar: tuple[Liar, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orderer took it, and passed it on to a leader that stands still."""
    servicer, gateway = liar
    monkeypatch.setattr(contract, "UNHEARD", 0.2)
    servicer.answers.clear()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(gateway.contract.submit, "members:List", {}, timeout=60)
        while not servicer.submitted and not done.done():
            time.sleep(0.01)
        servicer.failures = [grpc.StatusCode.ABORTED]  # once taken, what orderers say of it later decides nothing
        while servicer.failures and not done.done():
            time.sleep(0.01)
        servicer.answers.set()
        assert done.result().block == 5
    assert servicer.proposed == 1 and len(set(servicer.submitted)) == 1


def test_a_refusal_counts_only_where_the_peer_asked_refuses_too(liar: tuple[Liar, Gateway]) -> None:
    """Another hospital's peer, a block behind, refuses what rests on that block: the same is proposed again."""
    servicer, gateway = liar
    servicer.refusals, servicer.evaluated = 2, 0
    assert gateway.contract.submit("consents:Withdraw", {}).block == 5
    assert (servicer.proposed, servicer.evaluated) == (3, 2)
    servicer.refusals, servicer.accepts = 9, False
    with pytest.raises(Refused) as refused:
        gateway.contract.submit("consents:Withdraw", {})
    assert refused.value.code == "members.unknown"
    assert (servicer.proposed, servicer.evaluated) == (4, 3)


def test_a_peer_that_stays_behind_is_not_waited_for_for_ever(
    liar: tuple[Liar, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer, gateway = liar
    monkeypatch.setattr(contract, "SETTLING", 0.5)
    servicer.refusals = 10_000
    with pytest.raises(Refused):
        gateway.contract.submit("consents:Withdraw", {})
    assert servicer.proposed > 1
