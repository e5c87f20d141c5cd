"""The peers' side: check who proposes, run the contract once, let every hospital's peer key sign the outcome."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from hashlib import sha256
from typing import Any

from ledger.contracts import host
from ledger.contracts.rules import CHAINCODE, check_clock
from ledger.embedded.prepared import Prepared, PreparedTransactions
from ledger.embedded.simulation import Simulation
from ledger.embedded.store import Reader
from ledger.errors import LedgerError
from ledger.identity.checking import check_client
from ledger.identity.msp import Identity
from ledger.identity.validation import Member, Validator
from ledger.protocol import envelope, rwset
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.proposal import Heading, Proposal, open_proposal


class Endorser:
    """Runs proposals. Thread safe: each call reads through the connection it is given."""

    def __init__(
        self,
        config: ChannelConfig,
        validator: Validator,
        peers: Sequence[Identity],
        pool: Executor,
        prepared: PreparedTransactions,
    ) -> None:
        self._config, self._validator, self._peers, self._pool = config, validator, peers, pool
        self._prepared = prepared
        self._version = host.source_digest()

    def open(self, signed: Any, tx_id: str, channel: str) -> tuple[Proposal, Member]:
        """The proposal in a SignedProposal, and who signed it.

        Raises LedgerError `bytes.*`, `proposal.*`, `identity.*`, `signature.*`, `request.mismatch`, `channel.unknown`,
        `chaincode.unknown`, and Refused `host.clock-skew`.
        """
        proposal = open_proposal(signed.proposal_bytes)
        heading = proposal.heading
        if (tx_id, channel) != (heading.tx_id, heading.channel):
            raise LedgerError("request.mismatch", "the request names another transaction or channel than its proposal")
        check_names(self._config, heading)
        now = time.time()
        member = check_client(self._validator, heading.creator, signed.signature, signed.proposal_bytes, now)
        check_clock(heading.seconds, now)
        self._validator.member(heading.creator, heading.seconds)
        return proposal, member

    def evaluate(self, reader: Reader, proposal: Proposal, member: Member) -> bytes:
        """The contract's answer; what it wrote is forgotten. Raises Refused."""
        with reader.snapshot():
            return self._run(
                Simulation(reader, proposal, member.creator, self._config.hospitals, reading=True), proposal
            )

    def endorse(self, reader: Reader, proposal: Proposal, member: Member) -> bytes:
        """The payload for the client to sign. Raises Refused, LedgerError `proposal.duplicate`."""
        heading = proposal.heading
        if reader.transaction(heading.tx_id) is not None:
            raise LedgerError("proposal.duplicate", "a transaction with this id stands in the ledger already")
        with reader.snapshot():
            simulation = Simulation(reader, proposal, member.creator, self._config.hospitals, reading=False)
            answer = self._run(simulation, proposal)
        results = rwset.build(heading.chaincode, simulation.reads, simulation.writes)
        endorsed = envelope.endorsed_bytes(proposal, results, answer, simulation.happened, self._version)
        payload = envelope.assemble(proposal, endorsed, self._sign(endorsed))
        outcome = rwset.ReadWriteSet(tuple(simulation.reads.items()), tuple(simulation.writes.items()))
        self._prepared.add(Prepared(heading, payload, outcome))
        return payload

    def _sign(self, endorsed: bytes) -> list[envelope.Endorsement]:
        """Every hospital's signature over `endorsed` and its own name; what they share is hashed once."""
        shared, made = sha256(endorsed), []
        for peer in self._peers:
            whole = shared.copy()
            whole.update(peer.serialized)
            made.append(envelope.Endorsement(peer.serialized, peer.sign_digest(whole.digest())))
        return made

    def _run(self, simulation: Simulation, proposal: Proposal) -> bytes:
        return host.invoke(simulation, list(proposal.args), pool=self._pool)


def check_names(config: ChannelConfig, heading: Heading) -> None:
    """Raises LedgerError `channel.unknown`, `chaincode.unknown`."""
    if heading.channel != config.channel:
        raise LedgerError("channel.unknown", f"this ledger serves the channel {config.channel}")
    if heading.chaincode != CHAINCODE:
        raise LedgerError("chaincode.unknown", f"this ledger runs the chaincode {CHAINCODE}")
