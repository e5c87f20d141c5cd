"""Asking a peer which organisations' peers it knows: until it knows enough of them it can plan no endorsement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fabric_protos.discovery import protocol_pb2, protocol_pb2_grpc

from ledger.identity.msp import Identity
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import CHAINCODE, Organisation
from ledger.protocol.exact import serialise

PATIENCE = 60.0


def await_known(layout: Layout, channel: str, hospitals: Sequence[Organisation], *, deployed: bool) -> None:
    """Return once each hospital's peer knows a peer of each (with `deployed`, one that runs the contracts).

    Raises NetworkError `network.not-ready`.
    """
    wanted = {each.msp for each in hospitals}
    deadline = time.monotonic() + PATIENCE
    for hospital in hospitals:
        while missing := wanted - known(layout, channel, hospital, deployed=deployed):
            if time.monotonic() > deadline:
                raise NetworkError(
                    "network.not-ready",
                    f"the peer of {hospital.name} has found no peer of {', '.join(sorted(missing))} in "
                    f"{PATIENCE:.0f} s: covenant network doctor",
                )
            time.sleep(0.1)


def known(layout: Layout, channel: str, hospital: Organisation, *, deployed: bool) -> set[str]:
    """The organisations of which the hospital's peer knows a peer; none while it does not answer."""
    pem = (layout.client_tls(hospital) / "server.pem").read_bytes()
    admin = Identity.load(layout.admin(hospital))
    fingerprint = sha256(x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)).digest()
    query = protocol_pb2.Query(channel=channel, peer_query={})
    if deployed:
        query.peer_query.filter.chaincodes.add(name=CHAINCODE)
    request = serialise(
        protocol_pb2.Request(
            authentication={"client_identity": admin.serialized, "client_tls_cert_hash": fingerprint}, queries=[query]
        )
    )
    signed = protocol_pb2.SignedRequest(payload=request, signature=admin.sign(request))
    with grpc.secure_channel(str(hospital.peer), credentials(layout, hospital, hospital)) as connection:
        try:
            response = protocol_pb2_grpc.DiscoveryStub(connection).Discover(signed, timeout=5)
        except grpc.RpcError:
            return set()
    return {name for name, peers in response.results[0].members.peers_by_org.items() if peers.peers}


def credentials(layout: Layout, by: Organisation, hospital: Organisation) -> grpc.ChannelCredentials:
    """What the programs of the member `by` show a hospital's peer, and what they expect of it."""
    tls = layout.client_tls(by)
    return grpc.ssl_channel_credentials(
        layout.tls_ca(hospital).read_bytes(), (tls / "server.key").read_bytes(), (tls / "server.pem").read_bytes()
    )
