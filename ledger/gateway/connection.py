"""One TLS connection to one gateway peer, and who speaks on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from fabric_protos.gateway import gateway_pb2_grpc
from fabric_protos.peer import events_pb2_grpc

from ledger.gateway.errors import GatewayError, translate
from ledger.gateway.signer import Signer

LARGEST_MESSAGE = 100 * 1024 * 1024  # bytes; Fabric's own default limit
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    # A peer that stands still keeps its connections open: only a ping that it does not answer tells. Fabric's peers
    # close connections that ping more often than `peer.keepalive.minInterval` allows, a minute unless told.
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # gRPC 1.85 never comes to its own grpc.keepalive_timeout_ms
    ("grpc.http2.max_pings_without_data", 0),  # a quiet stream of events is pinged for as long as it lasts
    ("grpc.min_reconnect_backoff_ms", 5_000),  # and so long may a new connection take
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


class Deadline:
    """The moment by which a whole flow of steps must be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left; never less than a millisecond, so that a late step fails as DEADLINE_EXCEEDED, named."""
        return max(0.001, self._end - time.monotonic())

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self._end


class Absence:
    """How long a peer has been away without a break, and whether that is longer than `patience` seconds."""

    def __init__(self, patience: float | None) -> None:
        self._patience = patience
        self._since: float | None = None

    def too_long(self) -> bool:
        """To be asked whenever the peer was found away."""
        if self._since is None:
            self._since = time.monotonic()
        return self._patience is not None and time.monotonic() - self._since >= self._patience

    def over(self) -> None:
        self._since = None

    def error(self, kind: type[GatewayError], tx_id: str | None = None) -> GatewayError:
        reason = f"the peer has been away for {self._patience:g} s: turn to another one"
        return kind("gateway.peer-away", reason, tx_id=tx_id, status=grpc.StatusCode.UNAVAILABLE.name)


@dataclass(frozen=True)
class Connection:
    """A channel's names, its signer and its stubs. Thread safe: gRPC channels are, and nothing else changes.

    `tls_hash`: SHA-256 of the TLS certificate that was shown, empty for none: a peer that asked for one sends blocks
    only to who names it in the signed request, so that the request is of no use on another connection.
    `patience`: seconds that the peer may be away before events and a commit that is waited for give up; None: no limit.
    """

    grpc_channel: grpc.Channel
    signer: Signer
    channel: str
    chaincode: str
    endorsing_organisations: tuple[str, ...] = ()
    tls_hash: bytes = b""
    patience: float | None = None
    evaluating_organisations: tuple[str, ...] = ()
    gateway: Any = field(init=False, repr=False)
    deliver: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gateway", gateway_pb2_grpc.GatewayStub(self.grpc_channel))
        object.__setattr__(self, "deliver", events_pb2_grpc.DeliverStub(self.grpc_channel))

    def call(
        self, method: Callable[..., Any], request: Any, kind: type[GatewayError], tx_id: str, timeout: float
    ) -> Any:
        """One unary call of at most `timeout` seconds; a failure is raised as `kind`, or as the contract's Refused."""
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise translate(error, kind, tx_id) from error
        except ValueError as error:  # what gRPC raises on a channel that was closed
            raise kind("gateway.closed", "this gateway was closed: connect again", tx_id=tx_id) from error


def dial(
    address: str,
    tls_ca: bytes,
    signer: Signer,
    *,
    channel: str,
    chaincode: str,
    endorsing_organisations: Sequence[str],
    tls_client: tuple[bytes, bytes] | None,
    patience: float | None,
    evaluating_organisations: Sequence[str],
) -> Connection:
    """A connection to `address` ("host:port"), whose TLS certificate must chain to `tls_ca` (PEM), showing the
    certificate and key `tls_client` (PEM) if there are any. Connects when first used.
    """
    certificate, key = tls_client or (None, None)
    credentials = grpc.ssl_channel_credentials(tls_ca, key, certificate)
    grpc_channel = grpc.secure_channel(address, credentials, options=_OPTIONS)
    tls_hash = x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()) if certificate else b""
    return Connection(
        grpc_channel,
        signer,
        channel,
        chaincode,
        tuple(endorsing_organisations),
        tls_hash,
        patience,
        tuple(evaluating_organisations),
    )
