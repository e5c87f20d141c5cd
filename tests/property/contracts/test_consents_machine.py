"""Any order of grants, batches and withdrawals, against a model that is nothing but a table of what each did."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from consent import grant
from ledger.errors import Refused
from tests.contract.memory import MemoryLedger
from tests.contract.world import HOSPITALS, Patient, World
from tests.property.contracts.soak import examples

ALPHA, BETA = HOSPITALS[:2]
PEOPLE = [Patient(hospital) for hospital in (ALPHA, BETA) for _ in range(2)]
GRANTS = [person.grant() for person in PEOPLE]
who = st.integers(0, len(GRANTS) - 1)
AFTER = {"withdrawn": "consents.withdrawn", "tombstone": "consents.tombstone"}


class Consents(RuleBasedStateMachine):
    """`model`: commitment -> (status, by whom withdrawn); absent where nothing happened."""

    @initialize()
    def begin(self) -> None:
        self.world = World(MemoryLedger())
        self.world.found()
        self.model: dict[str, tuple[str, str | None]] = {}

    def status(self, number: int) -> str:
        return self.model.get(GRANTS[number].commitment, ("unknown", None))[0]

    @rule(number=who)
    def record(self, number: int) -> None:
        signed = GRANTS[number]
        if code := AFTER.get(self.status(number)):
            with pytest.raises(Refused) as caught:
                self.world.record(signed)
            assert caught.value.code == code
        else:
            self.world.record(signed)
            self.model[signed.commitment] = ("active", None)

    @rule(numbers=st.sets(who, min_size=1))
    def record_batch(self, numbers: set[int]) -> None:
        batch = sorted((GRANTS[number] for number in numbers), key=lambda one: one.commitment)
        at_alpha = all(one.statement.hospital == ALPHA for one in batch)
        possible = at_alpha and all(self.status(number) in {"unknown", "active"} for number in numbers)
        arguments = {"grants": [one.sealed() for one in batch]}
        evidence = [one.evidence() for one in batch]
        if possible:
            self.world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)
            self.model.update({one.commitment: ("active", None) for one in batch})
        else:
            with pytest.raises(Refused):
                self.world.ledger.submit(f"{ALPHA}.registrar", "consents:RecordBatch", arguments, evidence)

    @rule(number=who, by=st.sampled_from(["signature", "code"]))
    def withdraw(self, number: int, by: str) -> None:
        signed, person = GRANTS[number], PEOPLE[number]
        signature = grant.sign_withdrawal(bytes.fromhex(signed.commitment), person.key)
        shown = {"signature": signature} if by == "signature" else {"code": person.code}
        arguments = {"commitment": signed.commitment, "by": by}
        self.world.ledger.submit(f"{BETA}.site", "consents:Withdraw", arguments, signed.withdrawal(**shown))
        status, before = self.model.get(signed.commitment, ("unknown", None))
        after = {"unknown": "tombstone", "active": "withdrawn"}.get(status, status)
        if before in {None, "registrar"}:  # the patient's own word counts, also after the registrar's
            self.model[signed.commitment] = (after, {"signature": "patient", "code": "code"}[by])

    @rule(number=who, other=who)
    def withdraw_as_a_stranger(self, number: int, other: int) -> None:
        signed = GRANTS[number]
        if number != other:
            arguments = {"commitment": signed.commitment, "by": "code"}
            with pytest.raises(Refused) as caught:
                shown = signed.withdrawal(code=PEOPLE[other].code)
                self.world.ledger.submit(f"{ALPHA}.site", "consents:Withdraw", arguments, shown)
            assert caught.value.code == "consents.withdrawal-invalid"
            with pytest.raises(Refused) as caught:
                shown = GRANTS[other].withdrawal(code=PEOPLE[other].code)
                self.world.ledger.submit(f"{ALPHA}.site", "consents:Withdraw", arguments, shown)
            assert caught.value.code == "consents.withdrawal-invalid"

    @rule(number=who)
    def withdraw_by_registrar(self, number: int) -> None:
        signed, status = GRANTS[number], self.status(number)
        arguments = {"commitment": signed.commitment}
        hospital = signed.statement.hospital
        if status == "unknown":
            with pytest.raises(Refused):
                self.world.ledger.submit(f"{hospital}.registrar", "consents:WithdrawByRegistrar", arguments)
            return
        self.world.ledger.submit(f"{hospital}.registrar", "consents:WithdrawByRegistrar", arguments)
        if status == "active":
            self.model[signed.commitment] = ("withdrawn", "registrar")

    @rule(seconds=st.integers(0, 1000))
    def time_passes(self, seconds: int) -> None:
        self.world.ledger.now += seconds

    @invariant()
    def the_ledger_is_the_model(self) -> None:
        for signed in GRANTS:
            arguments = {"commitment": signed.commitment}
            record = self.world.ledger.evaluate(f"{ALPHA}.steward", "consents:Get", arguments)
            stands = None if record is None else (record["status"], record["withdrawn_by"])
            assert stands == self.model.get(signed.commitment)


TestConsents = Consents.TestCase
TestConsents.settings = settings(
    max_examples=examples(60, 1000),
    stateful_step_count=25,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
