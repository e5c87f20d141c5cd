"""What is built is what is read, and anything else is refused."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import LedgerError
from ledger.protocol import block, envelope, identity, proposal, rwset, seek
from ledger.protocol.exact import serialise

CREATOR = identity.pack("AlphaMSP", b"certificate")
texts = st.text(min_size=1, max_size=20)
blobs = st.binary(max_size=60)
versions = st.tuples(st.integers(0, 2**40), st.integers(0, 500))


def proposed(**changes: object) -> bytes:
    given_ = {
        "channel": "covenant",
        "chaincode": "covenant",
        "args": [b"members:List", b"{}"],
        "creator": CREATOR,
        "nonce": b"n" * 24,
        "seconds": 1_790_000_000,
        "nanos": 5,
        "transient": {"evidence": b"secret"},
    }
    return proposal.build(**{**given_, **changes})  # type: ignore[arg-type]


def endorsed(opened: proposal.Proposal, event: envelope.Event | None = None) -> bytes:
    results = rwset.build("covenant", {"a": None, "b": (3, 1)}, {"a": b"1", "b": None})
    signed = envelope.endorsed_bytes(opened, results, b"{}", event, "source")
    return envelope.assemble(opened, signed, [envelope.Endorsement(b"peer", b"signature")])


def refused(code: str, call: object, *arguments: object) -> None:
    with pytest.raises(LedgerError) as refusal:
        call(*arguments)  # type: ignore[operator]
    assert refusal.value.code == code


@given(st.lists(blobs, max_size=4), blobs, st.integers(0, 2**40), st.dictionaries(texts, blobs, max_size=3))
def test_a_proposal_is_read_as_it_was_built(args, nonce, seconds, transient):
    nonce = sha256(nonce).digest()[:24]
    opened = proposal.open_proposal(proposed(args=args, nonce=nonce, seconds=seconds, transient=transient))
    assert (list(opened.args), opened.transient) == (args, transient)
    assert (opened.heading.seconds, opened.heading.creator) == (seconds, CREATOR)
    assert opened.heading.tx_id == sha256(nonce + CREATOR).hexdigest()


def test_transient_data_is_in_no_hash_and_in_no_block():
    with_, without = (proposal.open_proposal(proposed(transient=each)) for each in ({"evidence": b"secret"}, None))
    assert with_.hash == without.hash
    assert with_.payload == without.payload
    assert b"secret" not in endorsed(with_)


@pytest.mark.parametrize("changes", [{"nonce": b"short"}, {"creator": b""}])
def test_a_proposal_without_nonce_or_creator_is_refused(changes):
    refused("proposal.header", proposal.open_proposal, proposed(**changes))


def test_a_transaction_is_read_as_it_was_built():
    opened = proposal.open_proposal(proposed())
    transaction = envelope.open_envelope(envelope.seal(endorsed(opened, envelope.Event("a.b", b"{}")), b"client"))
    assert transaction.heading == opened.heading
    assert transaction.rwset.reads == (("a", None), ("b", (3, 1)))
    assert transaction.rwset.writes == (("a", b"1"), ("b", None))
    assert transaction.event == envelope.Event("a.b", b"{}")
    assert (transaction.response, transaction.version) == (b"{}", "source")
    assert (transaction.signature, transaction.endorsements[0].identity) == (b"client", b"peer")


def test_endorsements_cannot_be_moved_to_another_proposal():
    mine, other = (proposal.open_proposal(proposed(args=[name, b"{}"])) for name in (b"a:A", b"b:B"))
    signed = envelope.endorsed_bytes(mine, rwset.build("covenant", {}, {}), b"{}", None, "")
    refused("envelope.proposal-hash", envelope.open_transaction, envelope.assemble(other, signed, []), b"")


def test_an_event_cannot_be_moved_to_another_transaction():
    mine, other = (proposal.open_proposal(proposed(nonce=each * 24)) for each in (b"m", b"o"))
    event = envelope.Event("a.b", b"{}")
    good = envelope.endorsed_bytes(mine, rwset.build("covenant", {}, {}), b"{}", event, "")
    moved = good.replace(mine.heading.tx_id.encode(), other.heading.tx_id.encode())
    refused("envelope.event", envelope.open_transaction, envelope.assemble(mine, moved, []), b"")


@given(st.data())
def test_no_byte_of_a_transaction_can_be_changed_unseen(data):
    payload = endorsed(proposal.open_proposal(proposed()), envelope.Event("a.b", b"{}"))
    place = data.draw(st.integers(0, len(payload) - 1))
    changed = bytearray(payload)
    changed[place] ^= data.draw(st.integers(1, 255))
    true = envelope.open_transaction(payload, b"")
    try:
        read = envelope.open_transaction(bytes(changed), b"")
    except LedgerError:
        return
    assert replace(read, payload=payload) != true  # what still parses says something else, and signatures refuse it


@pytest.mark.parametrize("extra", [b"\xfa\x01\x01x", b"\x0a\x00"])
def test_bytes_that_no_reader_shows_are_refused(extra):
    refused("bytes.not-canonical", proposal.open_proposal, proposed() + extra)
    refused("bytes.not-canonical", envelope.open_envelope, envelope.seal(b"x", b"y") + extra)


@given(st.integers(0, 2**63), blobs, st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), st.data())
def test_a_block_is_read_as_it_was_built(number, seed, envelopes, data):
    previous = sha256(seed).digest()
    flags = bytes(data.draw(st.lists(st.integers(0, 254), min_size=len(envelopes), max_size=len(envelopes))))
    signed = block.OrdererSignature(b"header", b"signature")
    read = block.open_block(block.build(number, previous, envelopes, flags, [signed]))
    assert (read.number, read.previous_hash, list(read.envelopes), read.flags) == (number, previous, envelopes, flags)
    assert read.hash == block.header_hash(number, previous, block.data_hash(envelopes))
    assert read.signatures == (signed,)


def test_header_hash_of_fabric():
    """By hand, from protoutil.BlockHeaderBytes: DER of {INTEGER 300, OCTET STRING 32 bytes, OCTET STRING 32 bytes}."""
    by_hand = bytes.fromhex("3048" + "0202012c" + "0420" + "aa" * 32 + "0420" + "bb" * 32)
    assert block.header_bytes(300, b"\xaa" * 32, b"\xbb" * 32) == by_hand


def test_a_block_with_other_transactions_is_refused():
    built = block.build(1, b"p" * 32, [b"one"], b"\x00", [])
    refused("block.data-hash", block.open_block, built.replace(b"one", b"two"))


@pytest.mark.parametrize("flags", [b"", b"\x00\x00"])
def test_a_block_has_one_code_a_transaction(flags):
    refused("block.metadata", block.open_block, block.build(1, b"p" * 32, [b"one"], flags, []))


@given(st.dictionaries(texts, st.none() | versions, max_size=4), st.dictionaries(texts, st.none() | blobs, max_size=4))
def test_reads_and_writes_are_read_as_they_were_built(reads, writes):
    (read,) = rwset.read(rwset.build("covenant", reads, writes))
    assert (read.namespace, read.hashed) == ("covenant", ())
    assert dict(read.rwset.reads) == reads
    assert dict(read.rwset.writes) == writes


def test_a_set_of_another_namespace_is_refused_where_contracts_stand_alone():
    opened = proposal.open_proposal(proposed())
    signed = envelope.endorsed_bytes(opened, rwset.build("other", {}, {"a": b"1"}), b"{}", None, "")
    transaction = envelope.open_transaction(envelope.assemble(opened, signed, []), b"")
    assert (transaction.rwset, transaction.touched[0].writes) == (envelope.NOTHING, True)
    refused("rwset.unsupported", envelope.check_alone, transaction)


def test_what_a_peer_read_of_the_lifecycle_is_told_apart():
    both = rwset_pb2.TxReadWriteSet()
    for name, writes in (("_lifecycle", {}), ("covenant", {"b": b"1"})):
        both.MergeFromString(rwset.build(name, {"a": (1, 0)}, writes))
    assert [(each.namespace, each.writes) for each in rwset.read(serialise(both))] == [
        ("_lifecycle", False),
        ("covenant", True),
    ]
    refused("rwset.unsupported", rwset.read, serialise(rwset_pb2.TxReadWriteSet(ns_rwset=both.ns_rwset[::-1])))


def test_orderers_may_sign_by_their_number():
    header = serialise(common_pb2.IdentifierHeader(identifier=3, nonce=b"n"))
    signed = common_pb2.Metadata(
        value=block.orderer_value(), signatures=[{"identifier_header": header, "signature": b"s"}]
    )
    built = common_pb2.Block.FromString(block.build(1, b"p" * 32, [b"one"], b"\x00", []))
    built.metadata.metadata[block.SIGNATURES] = serialise(signed)
    (signature,) = block.open_block(serialise(built)).signatures
    assert (signature.by_number, signature.number, signature.signature) == (True, 3, b"s")


def test_what_is_a_peers_own_is_taken_out_of_a_block():
    built = block.build(1, b"p" * 32, [b"one"], b"\x00", [])
    sent = common_pb2.Block.FromString(built)
    sent.metadata.metadata[block.COMMIT_HASH] = b"of one peer alone"
    refused("block.metadata", block.open_block, serialise(sent))
    assert block.shared(sent) == built


@given(st.none() | st.integers(0, 2**63), st.none() | st.integers(0, 2**63), st.booleans())
def test_a_seek_is_read_as_it_was_built(start, stop, wait):
    built = seek.build(
        channel="covenant", start=start, stop=stop, wait=wait, creator=CREATOR, nonce=b"n" * 24, seconds=7
    )
    assert seek.open_seek(built) == seek.Seek("covenant", start, stop, wait, CREATOR, 7, built)
