"""What a peer, an orderer or a host of the contracts says of itself, on the address meant for its own hospital."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ledger.network.network import Network
from ledger.network.plan import Organisation
from ledger.protocol.consortium import Address

PATIENCE = 3.0
LEADER = "consensus_smartbft_view_leader_id{"
UNHEARD = (OSError, ValueError, KeyError, http.client.HTTPException)  # how a process fails to answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process says of itself on its operations address, and how far its clock is from ours (seconds)."""

    version: str
    skew: float


def ask(network: Network, organisation: Organisation, address: Address) -> Answer:
    """Ask a peer or orderer for its version, showing the organisation's own certificate. OSError where it fails."""
    said, date = _get(network, organisation, address, "/version")
    return Answer(str(json.loads(said)["Version"]), _skew(date))


def leader(network: Network, organisation: Organisation) -> int | None:
    """The number of the orderer that this hospital's orderer follows; None before it follows one, and under Raft.

    OSError where it does not answer.
    """
    said, _ = _get(network, organisation, organisation.address("orderer_operations"), "/metrics")
    number = next((line.rpartition(" ")[2] for line in said.splitlines() if line.startswith(LEADER)), "0")
    return int(float(number)) or None


def reach(network: Network, hospital: Organisation, address: Address) -> None:
    """Connect to an `address` of a hospital that runs elsewhere. OSError unless its certificate is that hospital's."""
    context = _tls(network, network.first, hospital)
    with (
        socket.create_connection((address.host, address.port), timeout=PATIENCE) as connection,
        context.wrap_socket(connection, server_hostname=address.host),
    ):
        pass


def _get(network: Network, organisation: Organisation, address: Address, page: str) -> tuple[str, str]:
    """A page of a process's operations address, and the date that stands over it."""
    context = _tls(network, organisation, organisation)
    connection = http.client.HTTPSConnection(address.host, address.port, timeout=PATIENCE, context=context)
    try:
        connection.request("GET", page)
        response = connection.getresponse()
        return response.read().decode(), response.headers["Date"]
    finally:
        connection.close()


def ask_host(address: Address) -> float:
    """How far the clock of a host of the contracts is from ours, seconds. OSError where it does not answer."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return _skew(connection.getresponse().headers["Date"])
    finally:
        connection.close()


def _tls(network: Network, by: Organisation, of: Organisation) -> ssl.SSLContext:
    """Showing the certificate of `by`, and expecting one of `of`."""
    tls = network.layout.client_tls(by)
    context = ssl.create_default_context(cafile=str(network.layout.tls_ca(of)))
    context.load_cert_chain(tls / "server.pem", tls / "server.key")
    return context


def _skew(date: str) -> float:
    behind = time.time() - parsedate_to_datetime(date).timestamp()
    return 0.0 if 0 <= behind < 1 else behind  # the header holds whole seconds: up to one is no skew
