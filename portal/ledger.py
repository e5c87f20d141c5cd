"""The ledger as the portal speaks to it: by role, with the node's own identities. Pages read the mirror instead.

One connection an identity, opened when first used. A worker that forks gets its own (gRPC does not survive a fork).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import structlog
from django.conf import settings

from ledger.errors import LedgerError
from ledger.gateway import CommitStatusError, Committed, Contract, Events, Gateway, GatewayError, connect
from ledger.identity.msp import Identity
from portal.errors import LedgerUnavailable

log = structlog.get_logger(__name__)
UNREACHABLE = (LedgerUnavailable, GatewayError)

_gateways: dict[tuple[int, str], Gateway] = {}
_lock = threading.Lock()


def submit(
    role: str,
    function: str,
    arguments: Mapping[str, Any],
    evidence: object | None = None,
    key: str | None = None,
    *,
    timeout: float = 30,
) -> Committed:
    """Write as this node's `role` and wait for the commit: `submit("registrar", "consents:Record", {...}, evidence)`.

    `key` names the submission in the log; it never derives from a patient. `timeout`: seconds, retries included.
    Raises Refused (the contract said no, with its code), LedgerUnavailable (nothing is known to be written: the same
    call may be made again, since every contract write of the same content is answered with what stands).
    """
    try:
        done = contract(role).submit(function, dict(arguments), evidence=evidence, timeout=timeout)
    except GatewayError as error:
        raise unavailable(error, function, role) from error
    log.info("committed", function=function, role=role, key=key, tx_id=done.tx_id, block=done.block)
    return done


def evaluate(role: str, function: str, arguments: Mapping[str, Any], timeout: float = 10) -> Any:
    """Ask as this node's `role`; nothing is written. Raises Refused, LedgerUnavailable."""
    try:
        return contract(role).evaluate(function, dict(arguments), timeout=timeout)
    except GatewayError as error:
        raise unavailable(error, function, role) from error


def events(start_block: int = 0, after_tx: str | None = None) -> Events:
    """The events from a place on, as the identity this node reads with; close it when done."""
    return contract(reader()).events(start_block, after_tx)


def contract(role: str) -> Contract:
    """The contract, spoken to as `role`; ConfigurationError `config.identity` where this node has no such identity."""
    return gateway(role).contract


def gateway(role: str) -> Gateway:
    """The connection of this process as `role`, for blocks, head and step-by-step use."""
    place = os.getpid(), role
    with _lock:
        if place not in _gateways:
            _gateways[place] = dial(role)
        return _gateways[place]


def identity(role: str) -> Identity:
    """This node's identity as `role`, with its key."""
    return Identity.load(settings.NODE.identity(role))


def dial(role: str) -> Gateway:
    node = settings.NODE
    try:
        tls_ca = node.ledger.tls_ca.read_bytes()
    except OSError as error:
        reason = f"the ledger's certificate {node.ledger.tls_ca} cannot be read: is the ledger set up?"
        raise LedgerUnavailable("portal.ledger-unavailable", reason) from error
    return connect(node.ledger.address, tls_ca, identity(role), channel=node.channel)


def reader() -> str:
    """The role this node reads events with."""
    return "site" if settings.NODE.role == "hospital" else "auditor"


def close() -> None:
    """Close this process's connections; the next call opens new ones."""
    with _lock:
        for place in [place for place in _gateways if place[0] == os.getpid()]:
            _gateways.pop(place).close()


def unavailable(error: LedgerError, function: str, role: str) -> LedgerUnavailable:
    log.warning("ledger call failed", code=error.code, function=function, role=role)
    said = "the ledger did not take this just now: try again in a moment"
    if isinstance(error, CommitStatusError):
        said = "this is pending: the ledger has it and has not said yet whether it stands. Sent again, it counts once"
    return LedgerUnavailable(
        "portal.ledger-unavailable",
        said,
        cause=error.code,
        function=function,
    )
