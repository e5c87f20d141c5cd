"""A peer's TRANSACTION message: the client's proposal in it, read as strictly as everywhere, and its time judged."""

from __future__ import annotations

import time
from typing import Any

from fabric_protos.peer import chaincode_pb2

from ledger.contracts.rules import CHAINCODE, check_clock
from ledger.errors import LedgerError
from ledger.protocol.exact import read
from ledger.protocol.proposal import Proposal, open_proposal


def open_transaction(message: Any) -> Proposal:
    """The proposal that the contract shall run. Its signature, and whether its creator belongs to the channel, the
    peer has checked.

    Raises LedgerError `bytes.*`, `proposal.*`, `host.indirect-call`, `host.other-transaction`, and Refused
    `host.clock-skew`.
    """
    proposal = open_proposal(message.proposal.proposal_bytes)
    heading = proposal.heading
    called = tuple(read(chaincode_pb2.ChaincodeInput, message.payload, "chaincode input").args)
    if heading.chaincode != CHAINCODE or called != proposal.args:
        raise LedgerError("host.indirect-call", f"a proposal calls {CHAINCODE} itself, not through another chaincode")
    if (heading.channel, heading.tx_id) != (message.channel_id, message.txid):
        raise LedgerError("host.other-transaction", "the peer names another transaction than the proposal")
    check_clock(heading.seconds, time.time())
    return proposal
