"""The ledger as the portal speaks to it: by role, with the node's own identities. Pages read the mirror instead.

One connection an identity, opened when first used. A worker that forks gets its own (gRPC does not survive a fork).
A hub may name several peers, each of another hospital: while one is away, each process goes on with the next.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import structlog
from django.conf import settings
from django.utils.translation import gettext_noop

from ledger.errors import LedgerError
from ledger.gateway import CommitStatusError, Committed, Contract, EvaluateError, Events, Gateway, GatewayError, connect
from ledger.identity.msp import Identity
from portal.config import NodeConfig, Place, read_private
from portal.errors import LedgerUnavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)
UNREACHABLE = (LedgerUnavailable, GatewayError)
PATIENCE = 3.0  # seconds that a peer may be away before a node that has others turns to one

_gateways: dict[tuple[int, str], Gateway] = {}
_turned = 0  # how often this process has turned to another peer
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
    end = time.monotonic() + timeout

    def write(gateway: Gateway) -> Committed:
        left = max(0.001, end - time.monotonic())
        return gateway.contract.submit(function, dict(arguments), evidence=evidence, timeout=left)

    done = ask(role, write, function)
    log.info("committed", function=function, role=role, key=key, tx_id=done.tx_id, block=done.block)
    return done


def evaluate(role: str, function: str, arguments: Mapping[str, Any], timeout: float = 10) -> Any:
    """Ask as this node's `role`, each peer for at most `timeout` seconds; nothing is written. Raises Refused,
    LedgerUnavailable.
    """
    return ask(role, lambda gateway: gateway.contract.evaluate(function, dict(arguments), timeout=timeout), function)


def ask(role: str, act: Callable[[Gateway], T], what: str) -> T:
    """What `act` answers of the connection as `role`; where the peer is away, of each other peer's in turn.

    So `act` may run more than once. `what` names it in the log. Raises LedgerUnavailable.
    """
    places = len(settings.NODE.ledger.places)
    for tried in range(1, places + 1):
        peer = gateway(role)
        try:
            return act(peer)
        except GatewayError as error:
            if tried == places or not away(error):
                raise unavailable(error, what, role) from error
            turn(peer)
    raise AssertionError("a node has at least one peer")


def away(error: GatewayError) -> bool:
    """Whether the peer is not there, or stands still over a question, which may be put to any other one.

    A write that had no answer in time has used up its time, and may stand.
    """
    return error.status == "UNAVAILABLE" or (isinstance(error, EvaluateError) and error.status == "DEADLINE_EXCEEDED")


def turn(failed: Gateway | None = None) -> None:
    """Leave this peer for the next one, in this process; nothing where there is no other.

    `failed`: the connection that failed; nothing either where another thread has turned from it meanwhile.
    """
    global _turned  # noqa: PLW0603  # one place a process, as its connections are
    places = settings.NODE.ledger.places
    with _lock:
        if len(places) == 1 or (failed is not None and failed not in _gateways.values()):
            return
        _turned += 1
        log.warning("peer left for another one", address=places[_turned % len(places)].address)
        for place in [place for place in _gateways if place[0] == os.getpid()]:
            _gateways.pop(place)  # not closed: another thread may be waiting for its answer


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
            places = settings.NODE.ledger.places
            _gateways[place] = dial(settings.NODE, role, places[_turned % len(places)])
        return _gateways[place]


def identity(role: str) -> Identity:
    """This node's identity as `role`, with its key."""
    return Identity.load(settings.NODE.identity(role))


def dial(node: NodeConfig, role: str, place: Place) -> Gateway:
    """A new connection of `node` as `role` to the peer at `place`; close it when done. Raises LedgerUnavailable,
    ConfigurationError `config.identity`, `config.key-file`.
    """
    folder = node.ledger.tls_client
    try:
        tls_ca = place.tls_ca.read_bytes()
        shown = None if folder is None else ((folder / "server.pem").read_bytes(), read_private(folder / "server.key"))
    except OSError as error:
        reason = f"the ledger's certificate {error.filename} cannot be read: is the ledger set up?"
        raise LedgerUnavailable("portal.ledger-unavailable", reason) from error
    who = Identity.load(node.identity(role))
    return connect(
        place.address,
        tls_ca,
        who,
        channel=node.channel,
        tls_client=shown,
        patience=PATIENCE if node.ledger.others else None,
        evaluating_organisations=[node.msp] if node.role == "hospital" else [],
    )


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
    said = gettext_noop("the ledger did not take this just now: try again in a moment")
    if isinstance(error, CommitStatusError):
        said = gettext_noop(
            "this is pending: the ledger has it and has not said yet whether it stands. Sent again, it counts once"
        )
    return LedgerUnavailable(
        "portal.ledger-unavailable",
        said,
        cause=error.code,
        function=function,
    )
