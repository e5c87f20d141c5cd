"""What can go wrong between a client and the ledger: one error a step of the transaction flow.

    CovenantError
    └── LedgerError
        ├── Refused              a contract said no; the code is the contract's (`consents.withdrawn`)
        └── GatewayError         the step itself failed
            ├── EvaluateError, EndorseError, SubmitError, CommitStatusError, CommitError
            └── EventsError, BlocksError

Each carries `tx_id` (None where there is no transaction), `status` (the gRPC status name) and `details` (what each
node said).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from ledger.errors import LedgerError, Refused
from ledger.gateway import rpc_status

_CODED = re.compile(
    r"(?P<chaincode>chaincode response \d+, )?(?P<code>[a-z][a-z0-9-]*\.[a-z0-9][a-z0-9.-]*): (?P<message>.+)", re.S
)


_HELD = re.compile(r"request already (exists|processed)")  # SmartBFT, internal/bft/requestpool.go


@dataclass(frozen=True, slots=True)
class NodeDetail:
    """What one node said about a failure: its address, its organisation's MSP id, its message."""

    address: str
    organisation: str
    message: str


class GatewayError(LedgerError):
    """A step that failed. `code` is the node's own where it gave one (`host.clock-skew`), else
    `gateway.<step>-failed`.
    """

    step = "call"

    @property
    def tx_id(self) -> str | None:
        tx_id: Any = self.context.get("tx_id")
        return None if tx_id is None else str(tx_id)

    @property
    def status(self) -> str | None:
        status: Any = self.context.get("status")
        return None if status is None else str(status)

    @property
    def details(self) -> tuple[NodeDetail, ...]:
        details: Any = self.context.get("details", ())
        return tuple(details)


class EvaluateError(GatewayError):
    """The query was not answered."""

    step = "evaluate"


class EndorseError(GatewayError):
    """The proposal found no sufficient endorsement; nothing was sent for ordering, and nothing will be written."""

    step = "endorse"


class SubmitError(GatewayError):
    """The endorsed transaction was not taken for ordering. It may be submitted again as it is."""

    step = "submit"

    @property
    def ordered(self) -> bool:
        """Whether an orderer refused it for having it already.

        Orderers hear of a transaction from each other too. Under load two of four often do before the gateway's own
        copy arrives; they refuse that one, and the gateway calls a transaction failed that the next block holds.
        """
        return any(_HELD.search(detail.message) for detail in self.details)


class CommitStatusError(GatewayError):
    """The outcome is not known: ask again with the same transaction id before anything is sent anew."""

    step = "commit-status"


class CommitError(GatewayError):
    """The transaction was ordered and found invalid: it stands in block `block` and wrote nothing.

    `validation`: Fabric's name of the reason, such as `MVCC_READ_CONFLICT`.
    """

    step = "commit"

    @property
    def validation(self) -> str:
        return str(self.context.get("validation", ""))

    @property
    def block(self) -> int | None:
        block: Any = self.context.get("block")
        return None if block is None else int(block)


class EventsError(GatewayError):
    """The stream of events ended or was refused."""

    step = "events"


class BlocksError(GatewayError):
    """The stream of blocks ended or was refused."""

    step = "blocks"


def translate(error: grpc.RpcError, kind: type[GatewayError], tx_id: str | None = None) -> LedgerError:
    """The error a caller sees: Refused when a contract refused, else `kind`, with the node's code where it gave one."""
    status: grpc.StatusCode = error.code()
    details = _node_details(error)
    said = [*(detail.message for detail in details), error.details() or ""]
    context: dict[str, Any] = {"tx_id": tx_id, "status": status.name, "details": details}
    for text in said:
        if found := _CODED.search(text):
            if found["chaincode"]:
                return Refused(found["code"], found["message"], tx_id=tx_id)
            return kind(found["code"], found["message"], **context)
    reason = next((text for text in said if text), status.name)
    return kind(f"gateway.{kind.step}-failed", f"{reason} ({status.name}); {_remedy(status)}", **context)


def _node_details(error: grpc.RpcError) -> tuple[NodeDetail, ...]:
    """What each node said, where the gateway packed it; none when there is nothing to read."""
    metadata: Any = error.trailing_metadata()
    for name, value in metadata or ():
        if name == rpc_status.METADATA_KEY:
            try:
                return tuple(NodeDetail(d.address, d.msp_id, d.message) for d in rpc_status.unpack(value))
            except DecodeError:
                return ()
    return ()


def _remedy(status: grpc.StatusCode) -> str:
    if status is grpc.StatusCode.UNAVAILABLE:
        return "check that the ledger runs at this address, then try again"
    if status is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "the ledger did not answer in time: try again, or allow more time"
    return "look at `details` for what each node said"
