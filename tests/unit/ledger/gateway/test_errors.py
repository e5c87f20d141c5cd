"""Errors keep what a node said: the step, the code, the transaction, each node's words; also across processes."""

from __future__ import annotations

import pickle

import grpc
import pytest
from fabric_protos.gateway import gateway_pb2

from ledger.errors import LedgerError, Refused
from ledger.gateway import rpc_status
from ledger.gateway.errors import (
    BlocksError,
    CommitError,
    CommitStatusError,
    EndorseError,
    EvaluateError,
    EventsError,
    GatewayError,
    NodeDetail,
    SubmitError,
    translate,
)
from ledger.verify.errors import failed

STEPS = (EvaluateError, EndorseError, SubmitError, CommitStatusError, CommitError, EventsError, BlocksError)


class Answer(grpc.RpcError):
    """What gRPC raises when a server aborted a call."""

    def __init__(self, status: grpc.StatusCode, text: str, details: bytes | None = None) -> None:
        self._status, self._text, self._details = status, text, details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> list[tuple[str, bytes]]:
        return [] if self._details is None else [(rpc_status.METADATA_KEY, self._details)]


def packed(*messages: str) -> bytes:
    details = [gateway_pb2.ErrorDetail(address="peer0:7051", msp_id="AlphaMSP", message=each) for each in messages]
    return rpc_status.pack(10, "failed to endorse", details)


def test_a_chaincode_response_is_the_contracts_refusal() -> None:
    fabric = Answer(
        grpc.StatusCode.ABORTED,
        "failed to endorse transaction, see attached details for more info",
        packed("chaincode response 500, consents.withdrawn: this grant was withdrawn: only a new one can follow it"),
    )
    error = translate(fabric, EndorseError, "ab" * 32)
    assert isinstance(error, Refused)
    assert (error.code, error.context["tx_id"]) == ("consents.withdrawn", "ab" * 32)
    assert error.message == "this grant was withdrawn: only a new one can follow it"


def test_a_nodes_own_code_stays_and_each_nodes_words_are_kept() -> None:
    answer = Answer(grpc.StatusCode.PERMISSION_DENIED, "no", packed("identity.expired: get a new one", "more"))
    error = translate(answer, SubmitError, "ab" * 32)
    assert isinstance(error, SubmitError)
    assert (error.code, error.status, error.tx_id) == ("identity.expired", "PERMISSION_DENIED", "ab" * 32)
    assert error.details == (
        NodeDetail("peer0:7051", "AlphaMSP", "identity.expired: get a new one"),
        NodeDetail("peer0:7051", "AlphaMSP", "more"),
    )


@pytest.mark.parametrize("details", [None, b"\xff\xff", packed()])
def test_without_a_code_the_step_names_the_error(details: bytes | None) -> None:
    error = translate(Answer(grpc.StatusCode.UNAVAILABLE, "connection refused", details), EvaluateError, "ab" * 32)
    assert error.code == "gateway.evaluate-failed"
    assert "connection refused" in error.message and "try again" in error.message


@pytest.mark.parametrize("kind", STEPS)
def test_errors_are_the_same_on_the_other_side_of_a_process(kind: type[GatewayError]) -> None:
    error = kind("gateway.failed", "no", tx_id="ab" * 32, status="UNAVAILABLE", details=(NodeDetail("a", "b", "c"),))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind and isinstance(back, LedgerError)
    assert (back.code, back.tx_id, back.status, back.details) == (error.code, error.tx_id, error.status, error.details)


def test_places_survive_as_well() -> None:
    lost = pickle.loads(pickle.dumps(CommitError("commit.x", "lost", validation="MVCC_READ_CONFLICT", block=7)))
    assert (lost.validation, lost.block) == ("MVCC_READ_CONFLICT", 7)
    found = pickle.loads(pickle.dumps(failed("flags", "wrong", block=3, transaction=0)))
    assert (found.code, found.block, found.transaction) == ("verify.flags", 3, 0)
    assert str(found) == "verify.flags: wrong (block 3, transaction 0)"
