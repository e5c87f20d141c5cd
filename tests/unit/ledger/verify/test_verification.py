"""An honest ledger verifies; each lie an operator with all the keys could write is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from consent import canonical
from ledger.identity.ca import Authority
from ledger.protocol.envelope import Event
from ledger.verify import VerificationFailed, verify
from tests.unit.ledger.verify.forge import HOSPITALS, VERSION, Act, Forge


def refusal(forge: Forge, path: Path, **options: object) -> VerificationFailed:
    with pytest.raises(VerificationFailed) as error:
        verify(forge.write(path / "ledger.blocks"), forge.genesis, **options)  # type: ignore[arg-type]
    return error.value


@pytest.mark.parametrize("workers", [1, 3])
def test_an_honest_ledger_verifies_and_says_what_it_holds(honest: Forge, tmp_path: Path, workers: int) -> None:
    ledger = verify(honest.write(tmp_path / "l"), honest.genesis, [(7, honest.hash.hex())], workers=workers)
    report = ledger.report
    assert (report.height, report.head_hash, report.transactions) == (7, honest.hash.hex(), 8)
    assert report.invalid == {"MVCC_READ_CONFLICT": 1}
    assert (report.replayed, report.attested, report.attested_by_function) == (7, 4, {"consents:Record": 4})
    assert report.signatures == 6 + 8 * 4  # an orderer a block; client and three peers a transaction
    assert report.founded and report.one_operator and report.heads == 1
    assert [each.version for each in report.code_changes] == [VERSION]
    assert report.hospitals == HOSPITALS


def test_the_report_says_what_is_not_proven(honest: Forge, tmp_path: Path) -> None:
    report = verify(honest.write(tmp_path / "l"), honest.genesis).report
    said = " ".join(report.not_proven())
    assert "One operator holds all keys" in said
    assert "attested by the endorsers" in said
    assert "named no head" in said
    assert canonical.decode(canonical.encode({"proven": report.proven()}))


def test_the_ledger_can_be_looked_through_with_its_places(honest: Forge, tmp_path: Path) -> None:
    ledger = verify(honest.write(tmp_path / "l"), honest.genesis)
    assert ledger.state("members/consortium")["hospitals"] == list(HOSPITALS)
    assert ledger.state("members/nothing") is None
    keys = [key for key, _ in ledger.records("consents/")]
    assert keys == sorted(keys) and len(keys) == 5  # three grants, a text, the last withdrawal
    withdrawn = next(key for key, record in ledger.records("consents/") if record.get("status") == "withdrawn")
    active, taken_back = ledger.history(withdrawn)
    assert (active.block, active.record["status"]) == (3, "active")
    assert (taken_back.block, taken_back.transaction, taken_back.record["status"]) == (5, 0, "withdrawn")
    assert ledger.transaction(active.tx_id) == (3, 0)
    assert ledger.header_hash(7) == honest.hash.hex()
    assert (ledger.header_hash(0), ledger.header_hash(8)) == (None, None)


# the file and the genesis


def test_another_genesis_is_refused(honest: Forge, tmp_path: Path) -> None:
    path = honest.write(tmp_path / "l")
    for genesis, code in (("00" * 32, "verify.genesis"), ("xyz", "verify.genesis-malformed")):
        with pytest.raises(VerificationFailed) as error:
            verify(path, genesis)
        assert error.value.code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "verify.file-empty"),
        (b"covenant.ledger.v1\n", "verify.file-empty"),
        (b"PK\x03\x04 some archive", "verify.format"),
        (b"covenant.ledger.v1\n\x00\x00", "verify.truncated"),
        (b"covenant.ledger.v1\n\x00\x00\x00\x00", "verify.truncated"),
        (b"covenant.ledger.v1\n\xff\xff\xff\xff", "verify.truncated"),
        (b"covenant.ledger.v1\n\x00\x00\x00\x05abc", "verify.truncated"),
    ],
)
def test_what_is_no_export_is_named(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "l"
    path.write_bytes(content)
    with pytest.raises(VerificationFailed) as error:
        verify(path, "00" * 32)
    assert error.value.code == code


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "verify.file-missing"), (tmp_path, "verify.not-a-file")):
        with pytest.raises(VerificationFailed) as error:
            verify(path, "00" * 32)
        assert error.value.code == code


def test_a_chain_cut_short_or_rewritten_is_found_by_whoever_holds_a_head(honest: Forge, tmp_path: Path) -> None:
    head = (7, honest.hash.hex())
    short = replace_blocks(honest, honest.blocks[:-1])
    verify(short.write(tmp_path / "l"), honest.genesis)  # alone it is a good chain
    assert refusal(short, tmp_path, heads=[head]).code == "verify.head-missing"
    assert refusal(honest, tmp_path, heads=[(6, honest.hash.hex())]).code == "verify.head-other"
    for bad in ((0, "00" * 32), (1, "00")):
        assert refusal(honest, tmp_path, heads=[bad]).code == "verify.head-malformed"


def replace_blocks(forge: Forge, blocks: list[bytes]) -> Forge:
    other = object.__new__(Forge)
    other.__dict__.update(forge.__dict__, blocks=blocks)
    return other


# the chain


def test_blocks_left_out_swapped_or_doubled_are_found(honest: Forge, tmp_path: Path) -> None:
    blocks = honest.blocks
    for changed in (blocks[:3] + blocks[4:], [*blocks[:3], blocks[4], blocks[3]], [*blocks, blocks[-1]]):
        assert refusal(replace_blocks(honest, changed), tmp_path).code == "verify.block-number"


def test_a_block_that_names_another_one_before_it_is_found(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(), previous_hash=bytes(32))
    found = refusal(forge, tmp_path)
    assert (found.code, found.block) == ("verify.previous-hash", 3)


def test_a_block_without_the_orderers_signature_is_found(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(), unsigned=True)
    assert refusal(forge, tmp_path).code == "verify.block-validation"


def test_a_block_signed_by_a_hospital_is_found(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(), signer=forge.peers[0])
    assert refusal(forge, tmp_path).code == "verify.block-validation"


@pytest.mark.parametrize("code", [b"\x0b", b"\x09", b"\xfe"])
def test_a_valid_transaction_marked_invalid_is_found(forge: Forge, tmp_path: Path, code: bytes) -> None:
    forge.seal(forge.record(), flags=code)
    found = refusal(forge, tmp_path)
    assert (found.code, found.block, found.transaction) == ("verify.flags", 3, 0)


def test_a_lost_race_marked_valid_is_found(forge: Forge, tmp_path: Path) -> None:
    sealed, evidence = forge.grant()
    twice = [
        forge.transact(forge.client("registrar"), "consents:Record", {"grant": sealed}, evidence) for _ in range(2)
    ]
    forge.seal(*twice, flags=b"\x00\x00")
    found = refusal(forge, tmp_path)
    assert (found.code, found.block, found.transaction) == ("verify.flags", 3, 1)


def test_a_transaction_played_again_counts_once(forge: Forge, tmp_path: Path) -> None:
    again = forge.publish(nonce=bytes(24))  # writes nothing: it would be valid again, but for its id
    forge.seal(again)
    forge.seal(again)
    assert refusal(forge, tmp_path).code == "verify.flags"
    forge.blocks.pop()
    forge.hash = previous(forge)
    forge.seal(again, flags=b"\x09")
    assert verify(forge.write(tmp_path / "l"), forge.genesis).report.invalid == {"DUPLICATE_TXID": 1}


def previous(forge: Forge) -> bytes:
    from ledger.protocol.block import open_block

    return open_block(forge.blocks[-1]).hash


# signatures and policies


def test_two_hospitals_of_four_are_not_enough(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(endorsers=forge.peers[:2]))
    found = refusal(forge, tmp_path)
    assert (found.code, found.block, found.transaction) == ("verify.endorsement-policy", 3, 0)


def test_clients_of_three_hospitals_endorse_nothing(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(endorsers=[forge.client("site", name) for name in HOSPITALS[:3]]))
    assert refusal(forge, tmp_path).code == "verify.endorsement-policy"


def test_processes_side_by_side_find_the_same(forge: Forge, tmp_path: Path) -> None:
    for _ in range(3):
        forge.seal(forge.record())
    forge.seal(forge.record(), forge.record(endorsers=forge.peers[:2]))
    forge.seal(forge.record())
    alone, together = (refusal(forge, tmp_path, workers=workers) for workers in (1, 2))
    assert (alone.code, alone.block, alone.transaction) == ("verify.endorsement-policy", 6, 1)
    assert (together.code, together.block, together.transaction) == (alone.code, alone.block, alone.transaction)
    assert str(together) == str(alone)


def test_one_bad_endorsement_beside_enough_good_ones_is_found(forge: Forge, tmp_path: Path) -> None:
    liar = forge.peers[3]
    false = replace(liar, key=forge.peers[0].key)
    forge.seal(forge.record(endorsers=[*forge.peers[:3], false]))
    assert refusal(forge, tmp_path).code == "verify.signature-invalid"


def test_an_endorser_counts_once(forge: Forge, tmp_path: Path) -> None:
    forge.seal(forge.record(endorsers=[*forge.peers[:3], forge.peers[0]]))
    assert refusal(forge, tmp_path).code == "verify.endorsement-repeated"


def test_a_client_of_a_foreign_authority_is_found(forge: Forge, tmp_path: Path) -> None:
    stranger = Authority.create(HOSPITALS[0], "ca.false").issue("registrar", ["registrar"])
    forge.seal(act_as(forge, stranger))
    assert refusal(forge, tmp_path).code == "verify.identity-foreign-ca"


def act_as(forge: Forge, stranger: object) -> bytes:
    """The registrar's transaction, sent under another certificate; the endorsers (all in the plot) look away."""
    honest = forge.validator
    registrar = honest.member(forge.client("registrar").serialized, forge.now)

    class Blind:
        def member(self, *_: object) -> object:
            return registrar

    forge.validator = Blind()  # type: ignore[assignment]
    sealed, evidence = forge.grant()
    done = forge.transact(stranger, "consents:Record", {"grant": sealed}, evidence)  # type: ignore[arg-type]
    forge.validator = honest
    return done


def test_a_certificate_is_judged_at_the_transactions_time(forge: Forge, tmp_path: Path) -> None:
    """Valid long ago is good enough for a transaction of long ago, and expired is too late, whatever today is."""
    end = forge.peers[0].certificate.not_valid_after_utc.timestamp()
    forge.seal(forge.transact(*publishing(forge, "in-time"), seconds=int(end) - 1))
    verify(forge.write(tmp_path / "l"), forge.genesis)
    forge.seal(forge.transact(*publishing(forge, "too-late"), seconds=int(end) + 10**6))
    assert refusal(forge, tmp_path).code == "verify.identity-expired"


def publishing(forge: Forge, name: str) -> tuple[object, str, dict[str, object]]:
    text = {"text": name, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
    return forge.client("steward"), "consents:PublishText", text


# what the contracts did


def set_write(key: str, value: bytes | None) -> Callable[[Act], None]:
    def bend(act: Act) -> None:
        act.writes[key] = value

    return bend


def drop_event(act: Act) -> None:
    act.event = None


def other_event(act: Act) -> None:
    act.event = Event("consents.recorded", b'{"records":{}}')


def other_answer(act: Act) -> None:
    act.response = b"{}"


def forget_reads(act: Act) -> None:
    act.reads.clear()


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (set_write("budget/account/ClevelandMSP", b"{}"), "verify.replay-writes"),
        (set_write("members/consortium", None), "verify.replay-writes"),
        (drop_event, "verify.replay-event"),
        (other_event, "verify.replay-event"),
        (other_answer, "verify.replay-response"),
        (forget_reads, "verify.replay-reads"),
    ],
)
def test_what_the_contracts_did_not_do_is_found_though_everybody_signed_it(
    forge: Forge, tmp_path: Path, bend: Callable[[Act], None], code: str
) -> None:
    forge.seal(forge.record(bend=bend, endorsers=forge.peers))
    found = refusal(forge, tmp_path)
    assert (found.code, found.block, found.transaction) == (code, 3, 0)


def test_what_the_contracts_would_refuse_is_found(forge: Forge, tmp_path: Path) -> None:
    """A hospital's registrar records at another hospital; every endorser signs it all the same."""
    registrar, other = forge.client("registrar", HOSPITALS[1]), forge.client("registrar")
    shown = forge.validator.member(other.serialized, forge.now)
    honest, forge.validator = forge.validator, type("Blind", (), {"member": lambda *_: shown})()  # type: ignore[assignment]
    sealed, evidence = forge.grant()
    lie = forge.transact(registrar, "consents:Record", {"grant": sealed}, evidence)
    forge.validator = honest
    forge.seal(lie)
    found = refusal(forge, tmp_path)
    assert (found.code, found.context["cause"]) == ("verify.replay-refused", "consents.wrong-hospital")


def test_a_change_of_contract_code_is_named(forge: Forge, tmp_path: Path) -> None:
    def changed(act: Act) -> None:
        act.version = "11" * 32

    forge.seal(forge.record(), forge.record(bend=changed))
    report = verify(forge.write(tmp_path / "l"), forge.genesis).report
    changes = [(each.block, each.transaction, each.version) for each in report.code_changes]
    assert changes == [(1, 0, VERSION), (3, 1, "11" * 32)]
    assert any("other contract code" in sentence for sentence in report.not_proven())


def test_a_consortium_founded_with_others_than_genesis_names_is_found(tmp_path: Path) -> None:
    forge = Forge(3)
    roles = ["peer", "registrar", "site", "steward"]
    listed = [{"msp": name, "name": name, "kind": "hospital", "roles": roles, "origins": []} for name in HOSPITALS]
    listed.append({"msp": "OtherMSP", "name": "Other", "kind": "institute", "roles": ["researcher"], "origins": []})
    forge.seal(forge.transact(forge.client("steward"), "members:Found", {"organisations": listed}))
    found = refusal(forge, tmp_path)
    assert (found.code, found.block, found.transaction) == ("verify.members", 1, 0)


def test_a_ledger_of_another_channel_is_found(forge: Forge, tmp_path: Path) -> None:
    forge.channel = "other"
    forge.seal(forge.publish())
    assert refusal(forge, tmp_path).code == "verify.channel"
