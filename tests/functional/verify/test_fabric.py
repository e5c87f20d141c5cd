"""What a real Fabric network wrote verifies offline, and what colluding members could write instead does not, or is
found by who holds a head.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import pytest
from fabric_protos.common import common_pb2, policies_pb2
from fabric_protos.peer import transaction_pb2

from ledger.contracts import host
from ledger.protocol import block as wire
from ledger.protocol import genesis, policy
from ledger.protocol.envelope import open_envelope
from ledger.protocol.exact import serialise
from ledger.verify import VerificationFailed, claims, framing, verify
from portal.records import Served, Verified
from tests.functional.verify.chain import Recorded, appended, changed, reconfigured, refusal, rewritten
from tests.functional.verify.conftest import NEWCOMER
from tests.unit.ledger.verify.forge import HOSPITALS

FLIPS = 200
SEED = int(os.environ.get("COVENANT_SEED", SystemRandom().randrange(2**32)))
ALL = (1, 2, 3, 4)  # the founders' orderers; a quorum of five, too
MAJORITY = HOSPITALS[:3]


def last_call(recorded: Recorded, function: bytes) -> tuple[int, int]:
    """Block and place of the newest transaction that calls `function`, and counts."""
    for number in reversed(range(1, len(recorded.blocks))):
        block = wire.open_block(recorded.blocks[number])
        for place, envelope in enumerate(block.envelopes):
            readable = number not in (recorded.joined, *recorded.odd.values())
            if readable and not block.flags[place] and open_envelope(envelope).args[0] == function:
                return number, place
    raise AssertionError(function)


def test_what_a_real_network_wrote_verifies(recorded: Recorded, tmp_path: Path) -> None:
    framing.write(tmp_path / "l", recorded.blocks)
    one, two = (verify(tmp_path / "l", recorded.genesis, [recorded.head], workers=each).report for each in (1, 2))
    assert one == two == verify(recorded.other, recorded.genesis, [recorded.head]).report
    assert one.founded and one.consensus == "BFT" and not one.one_operator
    assert one.invalid["MVCC_READ_CONFLICT"] == 6 and one.invalid["ENDORSEMENT_POLICY_FAILURE"] == 1
    assert sum(one.invalid.values()) == 8
    assert one.hospitals == tuple(sorted((*HOSPITALS, NEWCOMER.msp)))
    (change,) = one.config_changes
    assert (change.block, change.hospitals, len(change.signers)) == (recorded.joined, one.hospitals, 3)
    first, second = one.code_changes
    assert (first.version, first.approved) == (host.source_digest(), tuple(sorted(HOSPITALS)))
    assert second.version != first.version and second.approved == one.hospitals
    assert second.block > recorded.joined


def test_what_a_peer_serves_is_read_as_what_the_verified_export_holds(recorded: Recorded, tmp_path: Path) -> None:
    """Past changes of members and of contract code, past what nobody can read: the records, and nothing else."""
    served = Served(recorded.blocks)
    framing.write(tmp_path / "l", recorded.blocks)
    ledger = verify(tmp_path / "l", recorded.genesis, [recorded.head], workers=1)
    assert served.entries("") == Verified(ledger, ledger.height).entries("") != {}
    assert served.header_hash(served.height() + 1) == ledger.report.head_hash


def test_one_changed_byte_anywhere_is_found(recorded: Recorded, tmp_path: Path) -> None:
    print(f"COVENANT_SEED={SEED}")
    random, path, codes = Random(SEED), tmp_path / "l", set()
    framing.write(path, recorded.blocks)
    data = path.read_bytes()
    for _ in range(FLIPS):
        place, flip = random.randrange(len(data)), random.randrange(1, 256)
        path.write_bytes(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
        with pytest.raises(VerificationFailed) as found:
            verify(path, recorded.genesis, [recorded.head], workers=1)
        codes.add(found.value.code)
    print(sorted(codes))


def test_each_byte_of_the_last_blocks_metadata_counts(recorded: Recorded, tmp_path: Path) -> None:
    """Where no later block binds: the orderers' signatures, the verdicts, the number of the configuration."""
    data, random = recorded.blocks[-1], Random(SEED)
    metadata = common_pb2.Block.FromString(data).metadata.ByteSize()
    for place in random.sample(range(len(data) - metadata, len(data)), 60):
        flipped = data[:place] + bytes([data[place] ^ random.randrange(1, 256)]) + data[place + 1 :]
        refusal(recorded, [*recorded.blocks[:-1], flipped], tmp_path / "l")


def test_a_chain_cut_short_is_found_by_a_head(recorded: Recorded, tmp_path: Path) -> None:
    cut = recorded.blocks[:-1]
    assert refusal(recorded, cut, tmp_path / "l", heads=[recorded.head]).code == "verify.head-missing"
    verify(tmp_path / "l", recorded.genesis)  # and by nothing else


def test_another_networks_genesis_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    framing.write(tmp_path / "l", recorded.blocks)
    with pytest.raises(VerificationFailed) as found:
        verify(tmp_path / "l", "00" * 32)
    assert found.value.code == "verify.genesis"


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        ((), "verify.block-validation"),
        ((1, 2, 3), "verify.block-validation"),  # enough of four, not of five
        ((1, 2, 3, 3), "verify.orderer-repeated"),
    ],
)
def test_a_block_signed_by_too_few_orderers_is_refused(
    recorded: Recorded, tmp_path: Path, signers: tuple[int, ...], code: str
) -> None:
    number = len(recorded.blocks) - 1
    failure = refusal(recorded, rewritten(recorded, number, lambda message: None, signers), tmp_path / "l")
    assert (failure.code, failure.block) == (code, number)


def test_before_a_hospital_joined_its_orderer_counts_for_nothing(recorded: Recorded, tmp_path: Path) -> None:
    number = recorded.joined - 1
    early = rewritten(recorded, number, lambda message: None, (1, 2, 5), upto=number + 1)
    assert refusal(recorded, early, tmp_path / "l").code == "verify.consenter"
    few = rewritten(recorded, number, lambda message: None, (1, 2), upto=number + 1)
    assert refusal(recorded, few, tmp_path / "l").code == "verify.block-validation"


def test_every_signature_of_a_block_must_hold(recorded: Recorded, tmp_path: Path) -> None:
    """A quorum holds, and one more signature is there that does not."""

    def add(message: Any) -> None:
        signed = common_pb2.Metadata.FromString(message.metadata.metadata[wire.SIGNATURES])
        headers = [common_pb2.IdentifierHeader.FromString(each.identifier_header) for each in signed.signatures]
        (absent,) = {1, 2, 3, 4, 5} - {each.identifier for each in headers}
        header = serialise(common_pb2.IdentifierHeader(identifier=absent, nonce=b"n" * 24))
        signature = recorded.orderers[absent].sign(b"something else")
        signed.signatures.append(common_pb2.MetadataSignature(identifier_header=header, signature=signature))
        message.metadata.metadata[wire.SIGNATURES] = serialise(signed)

    last = changed(recorded.blocks[-1], add)
    failure = refusal(recorded, [*recorded.blocks[:-1], last], tmp_path / "l")
    assert (failure.code, failure.block) == ("verify.signature-invalid", len(recorded.blocks) - 1)


@pytest.mark.parametrize("kind", ["alone", "garbage"])
def test_what_counts_for_nothing_cannot_be_made_to_count(recorded: Recorded, tmp_path: Path, kind: str) -> None:
    def mark(message: Any) -> None:
        message.metadata.metadata[wire.TRANSACTIONS_FILTER] = b"\x00"

    number = recorded.odd[kind]
    blocks = [*recorded.blocks[:number], changed(recorded.blocks[number], mark)]
    failure = refusal(recorded, blocks, tmp_path / "l")
    assert (failure.block, failure.transaction) == (number, 0)
    if kind == "alone":
        assert failure.code == "verify.endorsement-policy"


@pytest.mark.parametrize("code", sorted(set(transaction_pb2.TxValidationCode.values()) - {0})[::5])
def test_what_counts_cannot_be_hidden_behind_another_verdict(recorded: Recorded, tmp_path: Path, code: int) -> None:
    number, place = last_call(recorded, b"consents:Record")

    def mark(message: Any) -> None:
        verdicts = bytearray(message.metadata.metadata[wire.TRANSACTIONS_FILTER])
        verdicts[place] = code
        message.metadata.metadata[wire.TRANSACTIONS_FILTER] = bytes(verdicts)

    blocks = [*recorded.blocks[:number], changed(recorded.blocks[number], mark)]
    assert refusal(recorded, blocks, tmp_path / "l").code == "verify.flags"


def test_orderers_cannot_write_what_a_majority_did_not_endorse(recorded: Recorded, tmp_path: Path) -> None:
    """All orderers together take two endorsements out of a transaction: its client signed for them."""
    number, place = last_call(recorded, b"consents:Record")

    def strip(message: Any) -> None:
        envelope = common_pb2.Envelope.FromString(message.data.data[place])
        payload = common_pb2.Payload.FromString(envelope.payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        action = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
        del action.action.endorsements[1:]
        transaction.actions[0].payload = serialise(action)
        payload.data = serialise(transaction)
        envelope.payload = serialise(payload)
        message.data.data[place] = serialise(envelope)

    failure = refusal(recorded, rewritten(recorded, number, strip, ALL), tmp_path / "l")
    assert (failure.code, failure.block, failure.transaction) == ("verify.signature-invalid", number, place)


def test_a_quorum_of_orderers_can_leave_out_and_equivocate_but_a_head_tells(recorded: Recorded, tmp_path: Path) -> None:
    """What rests on the orderers alone: which transactions, in what order. A quorum that colludes can show one person a
    chain with the last transaction and another person one without it.
    """
    blocks = [wire.open_block(each) for each in recorded.blocks]
    last = next(each for each in reversed(blocks) if len(each.envelopes) > 1)
    signers = ALL if last.number > recorded.joined else ALL[:3]

    def leave_out(message: Any) -> None:
        del message.data.data[:]
        message.data.data.append(last.envelopes[0])
        message.metadata.metadata[wire.TRANSACTIONS_FILTER] = last.flags[:1]

    framing.write(tmp_path / "l", rewritten(recorded, last.number, leave_out, signers, upto=last.number + 1))
    verify(tmp_path / "l", recorded.genesis)
    with pytest.raises(VerificationFailed) as found:
        verify(tmp_path / "l", recorded.genesis, [(last.number + 1, last.hash.hex())])
    assert found.value.code == "verify.head-other"


def slower(standing: Any, update: Any) -> None:
    """A harmless change: how long orderers wait for a fuller block."""
    orderer = standing.groups["Orderer"]
    for each in (update.read_set, update.write_set):
        each.groups["Orderer"].version = orderer.version
    value = update.write_set.groups["Orderer"].values["BatchTimeout"]
    value.CopyFrom(orderer.values["BatchTimeout"])
    value.version += 1
    value.value = b"\n\x051234s"


def weaker(standing: Any, update: Any) -> None:
    """One hospital's endorsement shall be enough."""
    application = standing.groups["Application"]
    for each in (update.read_set, update.write_set):
        each.groups["Application"].version = application.version
    rule = update.write_set.groups["Application"].policies["Endorsement"]
    rule.CopyFrom(application.policies["Endorsement"])
    rule.version += 1
    envelope = policy.out_of(1, sorted((*HOSPITALS, NEWCOMER.msp)), "peer")
    rule.policy.CopyFrom(policies_pb2.Policy(type=policies_pb2.Policy.SIGNATURE, value=serialise(envelope)))


def test_a_majority_of_administrators_may_change_what_is_theirs_to_change(recorded: Recorded, tmp_path: Path) -> None:
    blocks = appended(recorded, [reconfigured(recorded, slower, MAJORITY)], ALL, config=True)
    framing.write(tmp_path / "l", blocks)
    report = verify(tmp_path / "l", recorded.genesis).report
    assert report.config_changes[-1].signers == tuple(sorted(MAJORITY))


@pytest.mark.parametrize(
    ("change", "admins", "code"),
    [
        (slower, HOSPITALS[:2], "verify.config-minority"),
        (slower, (), "verify.config-minority"),
        (slower, (HOSPITALS[0], HOSPITALS[1], HOSPITALS[1], "InstituteMSP"), "verify.config-minority"),
        (weaker, MAJORITY, "verify.genesis-policies"),
    ],
)
def test_a_configuration_forged_into_the_file_is_refused(
    recorded: Recorded, tmp_path: Path, change: Any, admins: tuple[str, ...], code: str
) -> None:
    """All orderers put it into a block; the administrators are too few, or what they want nobody may want."""
    blocks = appended(recorded, [reconfigured(recorded, change, admins)], ALL, config=True)
    failure = refusal(recorded, blocks, tmp_path / "l")
    assert (failure.code, failure.block) == (code, len(recorded.blocks))


def test_a_configuration_that_its_update_does_not_lead_to_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    first = genesis.read(recorded.blocks[0]).root
    envelope = reconfigured(recorded, slower, MAJORITY, result=first)
    blocks = appended(recorded, [envelope], ALL, config=True)
    assert refusal(recorded, blocks, tmp_path / "l").code == "verify.config-other"


def test_a_receipt_verifies_on_a_real_network(recorded: Recorded, tmp_path: Path) -> None:
    framing.write(tmp_path / "l", recorded.blocks)
    shown = claims.receipt(recorded.receipt, verify(tmp_path / "l", recorded.genesis))
    assert shown.sentences[0] == "The receipt is true." and shown.as_json()["status"] == "active"
