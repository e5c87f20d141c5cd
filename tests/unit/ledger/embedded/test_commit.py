"""Transactions become blocks: once, in order, and only if what they read still stands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import events_pb2_grpc, transaction_pb2

from ledger import gateway
from ledger.embedded.process import Process
from ledger.errors import LedgerError
from ledger.identity.checking import check_transaction
from ledger.identity.validation import Validator
from ledger.protocol import block, genesis, seek
from ledger.protocol.envelope import open_envelope
from ledger.verify.verification import verify
from tests.unit.ledger.embedded.harness import found, members
from tests.unit.ledger.embedded.wire import TEXT, Wire

VALID, DUPLICATE, CONFLICT = (transaction_pb2.VALID, transaction_pb2.DUPLICATE_TXID, transaction_pb2.MVCC_READ_CONFLICT)


def publish(door: gateway.Gateway, name: str) -> gateway.Committed:
    return door.contract.submit("consents:PublishText", {"text": name, **TEXT})


def test_one_of_two_racing_writes_of_a_key_wins(shared):
    wire = Wire.to(shared)
    proposals = [wire.publish("race") for _ in range(2)]
    envelopes = [(tx_id, wire.endorse(tx_id, signed)) for tx_id, signed in proposals]
    for tx_id, envelope in envelopes:
        wire.submit(tx_id, envelope)
    assert sorted(wire.status(tx_id)[0] for tx_id, _ in envelopes) == [VALID, CONFLICT]


def test_the_gateways_retry_turns_a_lost_race_into_the_standing_record(shared):
    with shared.connect() as door, ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: publish(door, "raced"), range(8)))
    assert len({str(each.result) for each in done}) == 1


def test_the_same_transaction_sent_twice_counts_once(shared):
    wire = Wire.to(shared)
    tx_id, signed = wire.publish("twice")
    first, second = wire.endorse(tx_id, signed), wire.endorse(tx_id, signed)
    wire.submit(tx_id, first)
    wire.submit(tx_id, second)  # still in flight, or already there: either way it is not counted again
    code, number = wire.status(tx_id)
    wire.submit(tx_id, first)
    assert (code, wire.status(tx_id)) == (VALID, (VALID, number))
    with shared.connect() as door:
        flags = [
            flag
            for data in door.blocks(number)
            for envelope, flag in zip(block.open_block(data).envelopes, block.open_block(data).flags, strict=True)
            if open_envelope(envelope).heading.tx_id == tx_id
        ]
    assert flags[0] == VALID
    assert set(flags[1:]) <= {DUPLICATE}
    with pytest.raises(grpc.RpcError) as refusal:
        wire.endorse(tx_id, signed)
    assert refusal.value.code() is grpc.StatusCode.ALREADY_EXISTS


def test_an_envelope_endorsed_before_a_restart_is_checked_in_full_and_committed(server):
    wire = Wire.to(server)
    server.connect().contract.submit("members:Found", members())
    tx_id, signed = wire.publish("later")
    envelope = wire.endorse(tx_id, signed)
    server.stop()
    server.start()
    wire = Wire.to(server)
    wire.submit(tx_id, envelope)
    assert wire.status(tx_id)[0] == VALID


def test_the_chain_stands_under_every_check_of_the_protocol(shared):
    with shared.connect() as door:
        publish(door, "checked")
        first, *rest = door.blocks()
    config = genesis.read(first)
    assert config.digest == shared.genesis
    validator, previous = Validator(config.organisations), block.open_block(first).hash
    for number, data in enumerate(rest, 1):
        read = block.open_block(data)
        assert (read.number, read.previous_hash) == (number, previous)
        (signature,) = read.signatures
        validator.verify(signature.creator, signature.signature, read.signed_bytes(signature), _time(read))
        for envelope in read.envelopes:
            check_transaction(validator, open_envelope(envelope), config.endorsement)
        previous = read.hash


def _time(read: block.Block) -> int:
    return open_envelope(read.envelopes[0]).heading.seconds


def test_the_offline_verifier_agrees(shared, tmp_path):
    from ledger.verify.export import export

    with shared.connect() as door:
        head = door.head()
        export(door, tmp_path / "ledger.blocks")
    verify(tmp_path / "ledger.blocks", shared.genesis, heads=[(head.height, head.hash.hex())])


def test_events_begin_where_asked_and_nothing_is_told_twice(shared):
    with shared.connect() as door:
        done = [publish(door, f"event-{number}") for number in range(5)]
        with door.contract.events(done[0].block) as events:
            told = [next(events) for _ in range(5)]
        with door.contract.events(done[2].block, done[2].tx_id) as events:
            after = next(events)
    assert [each.tx_id for each in told] == [each.tx_id for each in done]
    assert {each.name for each in told} == {"consents.published"}
    assert after.tx_id == done[3].tx_id


def test_events_arrive_as_blocks_do(shared):
    with (
        shared.connect() as door,
        ThreadPoolExecutor(1) as pool,
        door.contract.events(door.head().height) as events,
    ):
        waiting = pool.submit(next, events)
        done = publish(door, "live")
        assert waiting.result(10).tx_id == done.tx_id


def seeking(shared, identity, signer=None, **changes):
    """The final status that Deliver gives to a request, and how many blocks came before."""
    import time

    asked = {
        "channel": "covenant",
        "start": 0,
        "stop": None,
        "wait": False,
        "creator": identity.serialized,
        "nonce": b"n" * 24,
        "seconds": int(time.time()),
    }
    payload = seek.build(**{**asked, **changes})
    envelope = common_pb2.Envelope(payload=payload, signature=(signer or identity).sign(payload))
    channel = grpc.secure_channel(shared.process.address, grpc.ssl_channel_credentials(shared.process.tls_ca))
    answers = list(events_pb2_grpc.DeliverStub(channel).Deliver(iter([envelope]), timeout=10))
    return answers[-1].status, len(answers) - 1


def test_blocks_are_delivered_to_members_alone(shared):
    from ledger.identity.ca import Authority

    member = shared.identities["researcher"]
    status, count = seeking(shared, member)
    assert status == common_pb2.SUCCESS
    assert count > 1
    assert seeking(shared, member, start=10**6, stop=10**6) == (common_pb2.NOT_FOUND, 0)
    assert seeking(shared, member, start=5, stop=4) == (common_pb2.BAD_REQUEST, 0)
    assert seeking(shared, member, seconds=1) == (common_pb2.BAD_REQUEST, 0)
    stranger = Authority.create("AlphaMSP", "ca").issue("stranger")
    assert seeking(shared, stranger) == (common_pb2.FORBIDDEN, 0)
    assert seeking(shared, member, signer=stranger) == (common_pb2.FORBIDDEN, 0)


def test_a_directory_is_served_once(shared):
    with pytest.raises(LedgerError, match=r"ledger\.not-started.*ledger\.directory-in-use"):
        Process.start(shared.directory)


def test_a_port_is_served_once(shared, tmp_path):
    other = found(tmp_path / "other")
    with pytest.raises(LedgerError, match=r"ledger\.port-in-use"):
        other.start(int(shared.process.address.rpartition(":")[2]))


def test_nothing_to_serve_is_said(tmp_path):
    with pytest.raises(LedgerError, match=r"ledger\.no-directory"):
        Process.start(tmp_path)
