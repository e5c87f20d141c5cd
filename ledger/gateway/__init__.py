"""The ledger's client, for the embedded ledger and for Fabric alike. Start with `connect`."""

from __future__ import annotations

from ledger.gateway.checkpointer import Checkpointer, FileCheckpointer, MemoryCheckpointer, Position
from ledger.gateway.commit import Commit
from ledger.gateway.contract import Committed, Contract
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
)
from ledger.gateway.event import Event
from ledger.gateway.events import Events
from ledger.gateway.gateway import Gateway, Head, connect
from ledger.gateway.proposal import Proposal
from ledger.gateway.signer import OfflineSigner, Signer
from ledger.gateway.status import Status
from ledger.gateway.transaction import Transaction

__all__ = [
    "BlocksError",
    "Checkpointer",
    "Commit",
    "CommitError",
    "CommitStatusError",
    "Committed",
    "Contract",
    "EndorseError",
    "EvaluateError",
    "Event",
    "Events",
    "EventsError",
    "FileCheckpointer",
    "Gateway",
    "GatewayError",
    "Head",
    "MemoryCheckpointer",
    "NodeDetail",
    "OfflineSigner",
    "Position",
    "Proposal",
    "Signer",
    "Status",
    "SubmitError",
    "Transaction",
    "connect",
]
