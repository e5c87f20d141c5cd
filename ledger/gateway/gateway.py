"""The door to a ledger: one connection, one identity, one contract.

with connect("localhost:7051", tls_ca, identity) as gateway:
    done = gateway.contract.submit("consents:Record", {"grant": grant}, evidence=evidence)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from fabric_protos.common import common_pb2

from ledger.gateway import blocks
from ledger.gateway.commit import Commit
from ledger.gateway.connection import Connection, dial
from ledger.gateway.contract import Contract
from ledger.gateway.proposal import Proposal
from ledger.gateway.signer import Signer
from ledger.gateway.transaction import Transaction
from ledger.protocol import block as wire


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain has come: its number of blocks, and the newest one's header hash (32 bytes)."""

    height: int
    hash: bytes


class Gateway:
    """A connection to one peer's Gateway service, as one identity. Thread safe; close it when done."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.contract = Contract(connection)

    def signed_proposal(self, data: bytes, signature: bytes) -> Proposal:
        """A Proposal from its `bytes` and a signature made elsewhere over its `digest`."""
        return Proposal.rebuild(self._connection, data, signature)

    def signed_transaction(self, data: bytes, signature: bytes) -> Transaction:
        """A Transaction from its `bytes` and a signature made elsewhere over its `digest`."""
        return Transaction.rebuild(self._connection, data, signature)

    def signed_commit(self, data: bytes, signature: bytes) -> Commit:
        """A Commit from its `bytes` and a signature made elsewhere over its `digest`."""
        return Commit.rebuild(self._connection, data, signature)

    def commit(self, tx_id: str) -> Commit:
        """What became of a transaction known by its id: ask here after a CommitStatusError."""
        return Commit.of(self._connection, tx_id)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes of blocks `start` to `stop` inclusive (to the newest there is now, unless told); raises
        BlocksError.
        """
        return blocks.blocks(self._connection, start, stop)

    def head(self) -> Head:
        """The chain's number of blocks and its newest header hash; raises BlocksError."""
        return _head(blocks.newest(self._connection))

    def head_at(self, height: int) -> Head:
        """The head as it was when the chain had `height` blocks; raises BlocksError, where it has fewer too."""
        return _head(next(self.blocks(height - 1, height - 1)))

    def close(self) -> None:
        self._connection.grpc_channel.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _head(block: bytes) -> Head:
    header = common_pb2.Block.FromString(block).header
    return Head(header.number + 1, wire.header_hash(header.number, header.previous_hash, header.data_hash))


def connect(
    address: str,
    tls_ca: bytes,
    identity: Signer,
    *,
    channel: str = "covenant",
    chaincode: str = "covenant",
    endorsing_organisations: Sequence[str] = (),
    tls_client: tuple[bytes, bytes] | None = None,
    patience: float | None = None,
    evaluating_organisations: Sequence[str] = (),
) -> Gateway:
    """A gateway to the peer at `address` ("host:port"), whose TLS certificate chains to `tls_ca` (PEM).

    `identity` signs everything sent; one without a key at hand (OfflineSigner) builds only. `endorsing_organisations`
    names the MSP ids that shall endorse; without it the peer plans, which Fabric cannot do for transient data sent
    through an organisation that has no peer. `tls_client`: the certificate and key (PEM) to show a peer that asks who
    connects, as every peer of a Fabric network of ours does. `patience`: for who can turn to another peer, how many
    seconds this one may be away before a stream of events, or waiting for a commit, ends with `gateway.peer-away`.
    `evaluating_organisations`: the MSP ids whose peers alone shall answer questions; without it Fabric's gateway asks
    another hospital's when its own cannot. Connects when first used: an unreachable peer shows in the first call's
    error.
    """
    return Gateway(
        dial(
            address,
            tls_ca,
            identity,
            channel=channel,
            chaincode=chaincode,
            endorsing_organisations=endorsing_organisations,
            tls_client=tls_client,
            patience=patience,
            evaluating_organisations=evaluating_organisations,
        )
    )
