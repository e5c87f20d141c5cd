"""An endorsed transaction as it stands in a block: built by the endorsing side, opened and checked by everybody else.

common.Envelope { payload: common.Payload { header, data: Transaction { actions [ {
    header: the signature header again, payload: ChaincodeActionPayload {
        chaincode_proposal_payload (no transient data),
        action { proposal_response_payload, endorsements } } } ] } },
    signature: the client's, over payload }
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)

from ledger.errors import LedgerError
from ledger.protocol import rwset
from ledger.protocol.exact import parse, serialise
from ledger.protocol.proposal import Heading, Proposal, open_heading, open_input, proposal_hash
from ledger.protocol.rwset import ReadWriteSet, Touched

OK = 200
NOTHING = ReadWriteSet((), ())


@dataclass(frozen=True, slots=True)
class Event:
    """A chaincode event; at most one a transaction."""

    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Endorsement:
    """One organisation's signature over the proposal response and its own `identity` (SerializedIdentity bytes)."""

    identity: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """An opened envelope: well-formed and bound together, signatures not yet checked.

    `rwset` is what the chaincode that was called did in its own namespace, `touched` that and all else, namespace by
    namespace. `version` is that of the contracts that ran; `payload` and `signature` are the envelope's; `response` is
    the contract's answer; `endorsed` is what each endorser signed, without its identity at the end.
    """

    heading: Heading
    args: tuple[bytes, ...]
    rwset: ReadWriteSet
    touched: tuple[Touched, ...]
    results: bytes
    response: bytes
    event: Event | None
    version: str
    endorsed: bytes
    endorsements: tuple[Endorsement, ...]
    payload: bytes
    signature: bytes


def endorsed_bytes(proposal: Proposal, results: bytes, response: bytes, event: Event | None, version: str) -> bytes:
    """The ProposalResponsePayload: what a contract did for `proposal`.

    `results`: read/write set; `response`: the answer; `version`: of the contracts
    (ledger.contracts.host.source_digest).
    """
    heading = proposal.heading
    action = proposal_pb2.ChaincodeAction(
        results=results,
        events=b"" if event is None else serialise(_event(heading, event)),
        response={"status": OK, "payload": response},
        chaincode_id=chaincode_pb2.ChaincodeID(name=heading.chaincode, version=version),
    )
    return serialise(
        proposal_response_pb2.ProposalResponsePayload(proposal_hash=proposal.hash, extension=serialise(action))
    )


def assemble(proposal: Proposal, endorsed: bytes, endorsements: Sequence[Endorsement]) -> bytes:
    """The payload that the client signs: Fabric's protoutil.CreateTx."""
    heading = proposal.heading
    action = transaction_pb2.ChaincodeActionPayload(
        chaincode_proposal_payload=proposal.payload,
        action={
            "proposal_response_payload": endorsed,
            "endorsements": [{"endorser": each.identity, "signature": each.signature} for each in endorsements],
        },
    )
    transaction = transaction_pb2.Transaction(
        actions=[{"header": heading.signature_header, "payload": serialise(action)}]
    )
    header = {"channel_header": heading.channel_header, "signature_header": heading.signature_header}
    return serialise(common_pb2.Payload(header=header, data=serialise(transaction)))


def seal(payload: bytes, signature: bytes) -> bytes:
    """The envelope's bytes."""
    return serialise(common_pb2.Envelope(payload=payload, signature=signature))


def open_envelope(data: bytes) -> Transaction:
    """Read an envelope's bytes strictly. Raises LedgerError as `open_transaction`."""
    message = parse(common_pb2.Envelope, data, "envelope")
    return open_transaction(message.payload, message.signature)


def open_transaction(payload: bytes, signature: bytes) -> Transaction:
    """Read an envelope's two parts strictly, with all bindings that need no key.

    Raises LedgerError `bytes.*`, `proposal.*`, `rwset.*`, `envelope.actions`, `envelope.header`,
    `envelope.proposal-hash`, `envelope.transient`, `envelope.response`, `envelope.event`.
    """
    outer = parse(common_pb2.Payload, payload, "payload")
    heading = open_heading(outer.header)
    actions = parse(transaction_pb2.Transaction, outer.data, "transaction").actions
    if len(actions) != 1:
        raise LedgerError("envelope.actions", "a transaction holds exactly one action")
    if actions[0].header != heading.signature_header:
        raise LedgerError("envelope.header", "the action belongs to another proposal")
    action = parse(transaction_pb2.ChaincodeActionPayload, actions[0].payload, "action")
    kept = parse(proposal_pb2.ChaincodeProposalPayload, action.chaincode_proposal_payload, "proposal payload")
    if kept.TransientMap:
        raise LedgerError("envelope.transient", "transient data does not belong in a block")
    endorsed = action.action.proposal_response_payload
    response = parse(proposal_response_pb2.ProposalResponsePayload, endorsed, "proposal response")
    if response.proposal_hash != proposal_hash(heading, action.chaincode_proposal_payload):
        raise LedgerError("envelope.proposal-hash", "the endorsements belong to another proposal")
    done = parse(proposal_pb2.ChaincodeAction, response.extension, "chaincode action")
    touched = rwset.read(done.results)
    return Transaction(
        heading,
        open_input(kept.input, heading.chaincode),
        next((each.rwset for each in touched if each.namespace == heading.chaincode), NOTHING),
        touched,
        done.results,
        _response(heading, done),
        _open_event(heading, done.events),
        done.chaincode_id.version,
        endorsed,
        tuple(Endorsement(each.endorser, each.signature) for each in action.action.endorsements),
        payload,
        signature,
    )


def check_alone(transaction: Transaction) -> None:
    """Raises LedgerError `rwset.unsupported` unless `transaction` touches its own namespace alone, and nothing
    private: so on the embedded ledger, which knows nothing else.
    """
    if [each.namespace for each in transaction.touched] != [transaction.heading.chaincode]:
        name = transaction.heading.chaincode
        raise LedgerError("rwset.unsupported", f"a transaction touches the namespace {name} alone")
    if transaction.touched[0].hashed:
        raise LedgerError("rwset.unsupported", "private data collections are not used here")


def _response(heading: Heading, done: Any) -> bytes:
    expected = proposal_pb2.ChaincodeAction(response={"status": OK, "payload": done.response.payload})
    if done.response != expected.response:
        raise LedgerError("envelope.response", "only a successful answer can be committed")
    answered = done.chaincode_id
    if answered != chaincode_pb2.ChaincodeID(name=heading.chaincode, version=answered.version):
        raise LedgerError("envelope.response", "another chaincode answered")
    answer: bytes = done.response.payload
    return answer


def _event(heading: Heading, event: Event) -> Any:
    return chaincode_event_pb2.ChaincodeEvent(
        chaincode_id=heading.chaincode, tx_id=heading.tx_id, event_name=event.name, payload=event.payload
    )


def _open_event(heading: Heading, data: bytes) -> Event | None:
    if not data:
        return None
    event = parse(chaincode_event_pb2.ChaincodeEvent, data, "event")
    if (event.chaincode_id, event.tx_id) != (heading.chaincode, heading.tx_id) or not event.event_name:
        raise LedgerError("envelope.event", "the event belongs to another transaction, or has no name")
    return Event(event.event_name, event.payload)
