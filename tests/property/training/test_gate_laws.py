"""The gate over many patients, who are judged once where they are alike, is the gate over each of them alone."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from consent.decide import read_all
from consent.limits import Denial, Limits
from consent.mandate import Age
from consent.voices import OBJECTION, Spoken, together
from tests.property.consent.test_voice_laws import EARLY, STUDY, lives
from tests.property.contracts.soak import examples
from tests.unit.consent.examples import CANCER, IN_2026, Patient
from training.site.gate import BY_PATIENT, PATIENT_SIGNED, Gate
from training.site.stores import Standing

HEIGHT, CROWD = 10, 200
AGE = Age(
    assents_from="2020-01-01T00:00:00+00:00", of_age_from="2027-06-01T00:00:00+00:00", policy="ours", evidence="ab" * 32
)
DENIALS = [(), (), (Denial(),), (Denial(data_until="2026-01-15"),), (Denial(diseases=(CANCER,)),)]
WITHDRAWN = [(6, "patient"), (6, "registrar"), (11, "code"), (None, "registrar")]


class Chance(Random):
    def seldom(self, usual: Any, *others: Any) -> Any:
        return usual if self.random() < 0.9 else self.choice(others)


def alike(chance: Chance) -> Standing:
    """The one document that most patients have: mostly it lets them in, and is like others, but for a part or two."""
    details = Patient().details(
        starts="2025-06-01",
        data_from=chance.seldom(None, "2025-12-01"),
        data_until=chance.seldom(None, "2027-01-01"),
        limits=Limits(denied=chance.choice(DENIALS)),
        age=chance.seldom(None, AGE),
    )
    recorded = chance.seldom(EARLY, 2 * EARLY)
    view = Patient().view(valid_from="2025-06", details=details, recorded_at=recorded)
    return standing(chance, name(chance), chance.seldom(None, AGE), Spoken(view, OBJECTION))


def several(chance: Chance, child: Any, documents: list[Spoken]) -> list[Standing]:
    """All documents of a patient for whom others may speak."""
    patient, age = name(chance), None if child is None else chance.choice([None, child.age])
    return [standing(chance, patient, age, one) for one in documents]


def name(chance: Chance) -> str:
    return str(UUID(int=chance.getrandbits(128)))


def standing(chance: Chance, patient: str, age: Age | None, one: Spoken) -> Standing:
    """`one` as the hospital has it: mostly on the ledger in time, now and then withdrawn in one way or another."""
    block, by = chance.seldom((None, None), *WITHDRAWN)
    details = msgspec.structs.replace(one.view.details, retrospective=chance.seldom(True, False))
    return Standing(
        patient=patient,
        commitment=chance.randbytes(32).hex(),
        view=msgspec.structs.replace(
            one.view,
            details=chance.seldom(details, None),
            status=chance.seldom(one.view.status, "withdrawn", "unknown"),
        ),
        attestation=chance.choice(["passkey", "hospital-attested"]),
        secret=bytes(32),
        recorded_block=chance.seldom(5, HEIGHT, HEIGHT + 1, None),
        withdrawn_block=block,
        withdrawn_by=by,
        withdrawn_here=one.taken_back or chance.seldom(False, True),
        speaker=one.speaker,
        mandate_ended=one.ended,
        age=age,
    )


def alone(documents: list[Standing], when: int) -> list[str]:
    """The commitment that lets one patient in, told plainly: every document weighed together with the others."""
    back = {one.speaker for one in documents if one.withdrawn_here or one.withdrawn_by in BY_PATIENT}
    said = []
    for one, answer in zip(documents, read_all([one.view for one in documents], STUDY, when), strict=True):
        gone = one.withdrawn_block is not None
        view = msgspec.structs.replace(one.view, status="withdrawn") if gone else one.view
        counts = one.recorded_block is not None and one.recorded_block <= HEIGHT
        counts = counts and (one.speaker not in back or one.attestation in PATIENT_SIGNED)
        taken_back = one.withdrawn_here or one.withdrawn_by in BY_PATIENT
        said.append(Spoken(view, answer, one.speaker, counts, taken_back, one.mandate_ended))
    found = together(said, STUDY, when, documents[0].age if documents else None)
    undated = found.decision.permits and found.left.decide(None).permits
    return [min(documents[at].commitment for at in found.yes)] if undated else []


@settings(max_examples=examples(15, 500), print_blob=True, phases=[Phase.generate])
@given(st.lists(lives(), max_size=5), st.integers(0, 2**32))
def test_many_patients_are_admitted_as_each_alone(children: list[Any], seed: int) -> None:
    chance = Chance(seed)
    everybody = [several(chance, *life) for life in children] + [[alike(chance)] for _ in range(CROWD)]
    mixed = [one for documents in everybody for one in documents]
    chance.shuffle(mixed)
    admitted = Gate(STUDY, IN_2026, HEIGHT).admit(mixed)
    expected = [commitment for documents in everybody for commitment in alone(documents, IN_2026)]
    assert sorted(one.commitment for one in admitted) == sorted(expected) != []
    assert [one.patient for one in admitted] == sorted(one.patient for one in admitted)
