"""Any order of grants, batches, lost keys and withdrawals, against a model: a table of what each did.

Some of the patients sign with keys, some with passkeys; what an assertion gets wrong is drawn too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consent import grant
from consent.webauthn import PRESENT, VERIFIED, Assertion
from ledger.contracts.sealed import batched
from ledger.errors import Refused
from portal.demo.authenticator import Passkey
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, Patient, Signed, World
from tests.property.contracts.soak import examples

ALPHA, BETA = HOSPITALS[:2]
KEYS = [Patient(hospital) for hospital in (ALPHA, BETA) for _ in range(2)]
PASSKEYS = [Patient.with_passkey(hospital) for hospital in (ALPHA, ALPHA, BETA)]
PEOPLE = [*KEYS, *PASSKEYS]
GRANTS = [person.grant() for person in PEOPLE]
NEW = [Patient.with_passkey(person.hospital) for person in PEOPLE]  # what takes the place of a lost key
who = st.integers(0, len(GRANTS) - 1)
with_passkey = st.integers(len(KEYS), len(GRANTS) - 1)
hospitals = st.sampled_from([ALPHA, BETA])
AFTER = {"withdrawn": "consents.withdrawn", "tombstone": "consents.tombstone"}
WRONG: dict[str, Callable[[Passkey, bytes], Assertion]] = {
    "passkey-challenge": lambda one, data: one.sign(data + b"!"),
    "passkey-type": lambda one, data: one.sign(data, type="webauthn.create"),
    "passkey-origin": lambda one, data: one.sign(data, origin="https://portal.evil.example"),
    "passkey-cross-origin": lambda one, data: one.sign(data, crossOrigin=True),
    "passkey-rp-id": lambda one, data: one.sign(data, rp_id="evil.example"),
    "passkey-not-present": lambda one, data: one.sign(data, flags=VERIFIED),
    "passkey-not-verified": lambda one, data: one.sign(data, flags=PRESENT),
    "signature-invalid": lambda one, data: Passkey(one.rp_id, one.origin).sign(data),
}


class Stands(NamedTuple):
    """What the ledger should say of one commitment."""

    status: str
    by: str | None = None
    attestation: str | None = None
    replacement: str | None = None


def replaced_by(number: int) -> str:
    passkey = NEW[number].passkey
    assert passkey is not None
    return grant.replacement_digest(bytes.fromhex(GRANTS[number].commitment), passkey.public)


class Consents(RuleBasedStateMachine):
    """`model`: commitment -> what stands; absent where nothing happened."""

    @initialize()
    def begin(self) -> None:
        self.world = World(MemoryLedger())
        self.world.found()
        self.model: dict[str, Stands] = {}

    def stands(self, number: int) -> Stands:
        return self.model.get(GRANTS[number].commitment, Stands("unknown"))

    def refused(self, code: str, who: str, function: str, arguments: Any, evidence: Any = None) -> None:
        before = self.world.ledger.mark()
        with pytest.raises(Refused) as caught:
            self.world.ledger.submit(who, function, arguments, evidence)
        assert caught.value.code == f"consents.{code}"
        assert self.world.ledger.mark() == before

    def recorded(self, signed: Signed) -> None:
        self.model.setdefault(signed.commitment, Stands("active", None, signed.attestation))

    @rule(number=who)
    def record(self, number: int) -> None:
        """A passkey signs anew each time: another counter, other bytes, the same grant."""
        signed, person = GRANTS[number], PEOPLE[number]
        arguments, shown = {"grant": signed.sealed()}, signed.evidence(signature=person.sign(signed.data))
        registrar = f"{person.hospital}.registrar"
        if code := AFTER.get(self.stands(number).status):
            self.refused(code.removeprefix("consents."), registrar, "consents:Record", arguments, shown)
        else:
            self.world.ledger.submit(registrar, "consents:Record", arguments, shown)
            self.recorded(signed)

    @rule(number=with_passkey, wrong=st.sampled_from(sorted(WRONG)))
    def record_what_a_passkey_did_not_sign(self, number: int, wrong: str) -> None:
        signed, person = GRANTS[number], PEOPLE[number]
        assert person.passkey is not None
        shown = signed.evidence(signature=WRONG[wrong](person.passkey, signed.data))
        self.refused(wrong, f"{person.hospital}.registrar", "consents:Record", {"grant": signed.sealed()}, shown)

    @rule(numbers=st.sets(who, min_size=1))
    def record_batch(self, numbers: set[int]) -> None:
        batch = sorted((GRANTS[number] for number in numbers), key=lambda one: one.commitment)
        at_alpha = all(one.statement.hospital == ALPHA for one in batch)
        possible = at_alpha and all(self.stands(number).status in {"unknown", "active"} for number in numbers)
        arguments = batched(one.sealed() for one in batch)
        evidence = [one.evidence() for one in batch]
        if possible:
            self.world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)
            for one in batch:
                self.recorded(one)
        else:
            with pytest.raises(Refused):
                self.world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)

    @rule(number=who, by_code=st.booleans(), at=hospitals)
    def withdraw(self, number: int, by_code: bool, at: str) -> None:
        signed, person = GRANTS[number], PEOPLE[number]
        kind = "signature" if person.passkey is None else "passkey"
        shown = {"code": person.code} if by_code else {"signature": person.take_back(signed)}
        arguments = {"commitment": signed.commitment, "by": "code" if by_code else kind}
        evidence = signed.withdrawal(**shown)
        elsewhere = kind == "passkey" and at != person.hospital
        if elsewhere and not by_code and self.stands(number).status in {"unknown", "tombstone"}:
            self.refused("withdrawal-invalid", f"{at}.registrar", "consents:Withdraw", arguments, evidence)
        else:
            self.world.ledger.submit(f"{at}.registrar", "consents:Withdraw", arguments, evidence)
            self.taken_back(number, "code" if by_code else "patient")

    def taken_back(self, number: int, by: str) -> None:
        before = self.stands(number)
        after = {"unknown": "tombstone", "active": "withdrawn"}.get(before.status, before.status)
        if before.by in {None, "registrar"}:  # the patient's own word counts, also after the registrar's
            self.model[GRANTS[number].commitment] = before._replace(status=after, by=by)

    @rule(number=with_passkey, wrong=st.sampled_from(sorted(WRONG)))
    def withdraw_what_a_passkey_did_not_sign(self, number: int, wrong: str) -> None:
        signed, person = GRANTS[number], PEOPLE[number]
        assert person.passkey is not None
        message = grant.withdrawal_bytes(bytes.fromhex(signed.commitment))
        arguments = {"commitment": signed.commitment, "by": "passkey"}
        for touched in (WRONG[wrong](person.passkey, message), person.sign(signed.data)):  # the grant's own, replayed
            shown = signed.withdrawal(signature=touched)
            self.refused("withdrawal-invalid", f"{person.hospital}.registrar", "consents:Withdraw", arguments, shown)

    @rule(number=who)
    def replace_a_lost_key(self, number: int) -> None:
        signed, before = GRANTS[number], self.stands(number)
        arguments = {"commitment": signed.commitment, "replacement": replaced_by(number)}
        registrar = f"{PEOPLE[number].hospital}.registrar"
        if before.status == "active":
            self.world.ledger.submit(registrar, "consents:Rekey", arguments)
            now = before._replace(attestation="hospital-attested", replacement=replaced_by(number))
            self.model[signed.commitment] = now
        else:
            self.refused(before.status, registrar, "consents:Rekey", arguments)

    @rule(number=who)
    def withdraw_with_the_key_in_a_lost_ones_place(self, number: int) -> None:
        """It works where it took that place, and for that grant alone."""
        signed, new = GRANTS[number], NEW[number]
        assert new.passkey is not None
        arguments = {"commitment": signed.commitment, "by": "passkey"}
        shown = signed.withdrawal(signature=new.take_back(signed), replacement=new.passkey.public)
        registrar = f"{new.hospital}.registrar"
        if self.stands(number).replacement is None:
            self.refused("withdrawal-invalid", registrar, "consents:Withdraw", arguments, shown)
        else:
            self.world.ledger.submit(registrar, "consents:Withdraw", arguments, shown)
            self.taken_back(number, "patient")

    @rule(number=who, other=who)
    def withdraw_as_a_stranger(self, number: int, other: int) -> None:
        if number == other:
            return
        arguments = {"commitment": GRANTS[number].commitment, "by": "code"}
        for evidence in (GRANTS[number], GRANTS[other]):
            shown = evidence.withdrawal(code=PEOPLE[other].code)
            self.refused("withdrawal-invalid", f"{ALPHA}.site", "consents:Withdraw", arguments, shown)

    @rule(number=who)
    def withdraw_by_registrar(self, number: int) -> None:
        signed, before = GRANTS[number], self.stands(number)
        arguments = {"commitment": signed.commitment}
        registrar = f"{signed.statement.hospital}.registrar"
        if before.status == "unknown":
            self.refused("unknown", registrar, "consents:WithdrawByRegistrar", arguments)
            return
        self.world.ledger.submit(registrar, "consents:WithdrawByRegistrar", arguments)
        if before.status == "active":
            self.model[signed.commitment] = before._replace(status="withdrawn", by="registrar")

    @rule(seconds=st.integers(0, 1000))
    def time_passes(self, seconds: int) -> None:
        self.world.ledger.now += seconds

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        for signed in GRANTS:
            arguments = {"commitment": signed.commitment}
            record = self.world.ledger.evaluate(f"{ALPHA}.steward", "consents:Get", arguments)
            names = ("status", "withdrawn_by", "attestation", "replacement")
            stands = None if record is None else Stands(*(record.get(name) for name in names))
            assert stands == self.model.get(signed.commitment)


TestConsents = Consents.TestCase
TestConsents.settings = settings(
    max_examples=examples(60, 1000),
    stateful_step_count=25,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
