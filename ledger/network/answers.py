"""Whether all hospitals' contracts answer alike: one proposal put to each one's peer, and never sent for ordering.

A peer signs whatever its hospital's host of the contracts answers, and a host that was changed on purpose says of
itself what it likes: only its answers tell. The question is asked in every hospital's name in turn, because contracts
that act for somebody answer that one as they should.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import grpc
from fabric_protos.peer import peer_pb2_grpc, proposal_pb2

from consent import canonical
from ledger.errors import LedgerError
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.network.discovery import credentials
from ledger.network.network import Network, together
from ledger.network.plan import CHAINCODE, Organisation
from ledger.protocol import proposal

PATIENCE = 10.0  # seconds for one peer's answer
SETTLING = 5.0  # seconds in which a peer that is some blocks late has them
FUNCTION = "consents:PublishText"  # writes little, and what it writes says who asked


def differing(network: Network, hospitals: Sequence[Organisation]) -> list[Organisation]:
    """Those of `hospitals` whose contracts answer otherwise than more than half do: all, where no such majority is.

    Nothing is asked in the name of a hospital whose authority's key is not kept here, and a peer that says nothing is
    left out.
    """
    found: list[Organisation] = []
    deadline = time.monotonic() + SETTLING
    for one in hospitals:
        try:
            authority = Authority.load(network.layout.folder(one) / "ca")
        except LedgerError:
            continue
        client = authority.issue("doctor", ["steward"])
        while odd := odd_ones(ask(network, client, hospitals)):
            if time.monotonic() > deadline:
                found += [each for each in hospitals if each.name in odd and each not in found]
                break
            time.sleep(0.5)
    return found


def odd_ones(answers: Mapping[str, bytes]) -> list[str]:
    """Whose answer is not that of more than half, whoever answered first.

    >>> odd_ones({"a": b"other", "b": b"same", "c": b"same"})
    ['a']
    """
    said, voices = Counter(answers.values()).most_common(1)[0] if answers else (b"", 0)
    return [name for name, answer in answers.items() if answer != said or 2 * voices <= len(answers)]


def ask(network: Network, client: Identity, hospitals: Sequence[Organisation]) -> dict[str, bytes]:
    """What each hospital's peer would sign of one and the same proposal, or how it refuses, by the hospital's name."""
    name = f"doctor-{os.urandom(8).hex()}"
    arguments = {"text": name, "digests": {"en": "00" * 32}, "presets": ["cancer"]}
    seconds = time.time()
    data = proposal.build(
        channel=network.plan.channel,
        chaincode=CHAINCODE,
        args=[FUNCTION.encode(), canonical.encode(arguments)],
        creator=client.serialized,
        nonce=os.urandom(proposal.NONCE_BYTES),
        seconds=int(seconds),
        nanos=0,
        transient={},
    )
    signed = proposal_pb2.SignedProposal(proposal_bytes=data, signature=client.sign(data))

    def answer(hospital: Organisation) -> bytes | None:
        shown = credentials(network.layout, network.asking(hospital), hospital)
        with grpc.secure_channel(str(hospital.peer), shown) as connection:
            try:
                said = peer_pb2_grpc.EndorserStub(connection).ProcessProposal(signed, timeout=PATIENCE)
            except grpc.RpcError:
                return None
        return bytes(said.payload) or said.response.message.encode()

    answers = zip(hospitals, together(answer, hospitals), strict=True)
    return {hospital.name: said for hospital, said in answers if said is not None}
