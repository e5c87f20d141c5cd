"""The promise itself: whatever happens in whatever order, no record trains without a consent valid at that round.

Random schedules of grants, narrowings, withdrawals (on the ledger, on another member's page, or at the hospital's
counter), expiry by time, and rounds run against the real agent, gate and contracts. What each round read is compared
with a model that knows nothing of them: the plain history of who said what at which block. COVENANT_SOAK=1 runs 1,000
schedules, else 25; COVENANT_SEED repeats one.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.federation import Hospital, World, seed
from training.errors import TrainingError
from training.federation.aggregate import aggregate
from training.federation.chain import Chain, MemoryVectors
from training.federation.studies import Studies
from training.federation.vectors import digest, to_bytes
from training.site.stores import TRAINING, Attempt

SCHEDULES = 1000 if os.environ.get("COVENANT_SOAK") == "1" else 25
MONTHS = [("2026-01", "2027-12"), ("2026-11", "2026-11"), ("2026-10", "2026-10"), ("2026-12", "2027-03")]
DAY = 86_400


@dataclass
class Said:
    """One grant in the model's own words."""

    patient: str
    heart: bool
    starts: str
    ends: str
    signed: bool
    recorded: int
    withdrawn: int | None = None
    at_the_counter: bool = False

    @property
    def gone(self) -> bool:
        return self.withdrawn is not None or self.at_the_counter


@dataclass
class History:
    said: dict[str, Said] = field(default_factory=dict)

    def may_train(self, patient: str, month: str, opened: int) -> bool:
        """By the rules as people read them, at the block that opened the round and with what was known by then."""
        return any(
            one.heart and one.starts <= month <= one.ends and one.recorded <= opened and self.stands(name)
            for name, one in self.said.items()
            if one.patient == patient
        )

    def stands(self, name: str) -> bool:
        """Whether nobody took this grant back, nor, where it is paper, any grant of the same patient."""
        one = self.said[name]
        left = any(other.gone for other in self.said.values() if other.patient == one.patient)
        return not one.gone and (one.signed or not left)


class Schedule:
    def __init__(self, folder: Path, choose: random.Random) -> None:
        self.choose = choose
        self.world = World(folder, hospitals=1, patients=26, held_out=1)
        self.hospital: Hospital = next(iter(self.world.hospitals.values()))
        self.people = [name for name in self.hospital.features if name not in self.hospital.held_out]
        self.history = History()
        self.trained = 0
        self.stopped = 0
        self.seen: set[str] = set()
        for patient in self.people:
            self.grant(patient, usual=True)
        self.study = self.world.study(rounds=1000, spare_attempts=1000, privacy=GENTLE, cohort_seconds=600)
        self.chain = Chain(Studies(self.world.view), self.world.blobs, MemoryVectors())
        self.round, self.attempt = 1, 1

    def grant(self, patient: str, *, usual: bool = False) -> None:
        heart = usual or self.choose.random() < 0.7
        months = MONTHS[0] if usual else self.choose.choice(MONTHS)
        signed = usual or self.choose.random() < 0.7
        made = self.hospital.grant(
            patient,
            preset="heart-disease" if heart else "cancer",
            months=months,
            attestation="portal-key" if signed else "hospital-attested",
        )
        self.history.said[made.commitment] = Said(patient, heart, *months, signed, self.world.ledger.height)

    def withdraw(self) -> None:
        if standing := [name for name, one in self.history.said.items() if one.withdrawn is None]:
            self.take_back(self.choose.choice(standing), elsewhere=self.choose.random() < 0.5)

    def take_back(self, name: str, *, elsewhere: bool) -> None:
        self.hospital.withdraw(self.hospital.grants[name], elsewhere=elsewhere)
        self.history.said[name].withdrawn = self.world.ledger.height

    def many_withdraw_elsewhere(self, cohort: list[str]) -> None:
        """Some of a frozen cohort, on other members' pages: often so many that too few are left."""
        standing = [name for name in cohort if self.history.said[name].withdrawn is None]
        for name in self.choose.sample(standing, min(len(standing), self.choose.randrange(1, 9))):
            self.take_back(name, elsewhere=True)

    def hand_in(self) -> None:
        name = self.choose.choice(list(self.history.said))
        self.hospital.grants[name].handed_in = True
        self.history.said[name].at_the_counter = True

    def wait(self) -> None:
        self.world.now += self.choose.randrange(1, 12) * DAY

    def disturb(self) -> None:
        """Anything but a round."""
        step = self.choose.choice([self.withdraw, self.withdraw, self.hand_in, self.grant_anybody, self.grant_anybody])
        step()

    def grant_anybody(self) -> None:
        self.grant(self.choose.choice(self.people))

    def learn(self) -> None:
        """One attempt at a round, with things happening between its steps; sometimes it is aborted."""
        world, place = self.world, {"study": self.study, "round": self.round, "attempt": self.attempt}
        world.run("runner", "studies:Open", {**place, "kind": "training"})
        opened = world.ledger.height
        month = datetime.fromtimestamp(world.now, UTC).strftime("%Y-%m")
        while self.choose.random() < 0.4:
            self.disturb()
        allowed = {patient for patient in self.people if self.history.may_train(patient, month, opened)}
        answer = world.ask(self.hospital.msp, "cohort", self.study, self.round, self.attempt)
        frozen = self.hospital.cohorts.get(Attempt(self.study, self.round, self.attempt, TRAINING))
        members = {member.patient for member in frozen.members} if frozen else set()
        assert members == (allowed if len(allowed) >= 20 else set())
        assert (answer.facts["declined"] == "yes") == (not members)
        while self.choose.random() < 0.3:
            self.disturb()
        if members and self.choose.random() < 0.85:
            self.train(place, {member.patient: member.commitment for member in frozen.members})
        else:
            world.run("runner", "studies:Abort", {**place, "reason": "test.abort"})
            self.attempt += 1

    def train(self, place: dict, members: dict[str, str]) -> None:
        """`members`: the frozen cohort, each patient with the grant that let them in."""
        world = self.world
        world.run("runner", "studies:Fix", place)
        while self.choose.random() < 0.3:
            self.disturb()
        if self.choose.random() < 0.3:
            self.many_withdraw_elsewhere(list(members.values()))
        left = {patient for patient, name in members.items() if self.history.stands(name)}
        before = len(self.hospital.loads)
        if len(left) < 20:
            with pytest.raises(TrainingError, match=r"site\.cohort-too-small"):
                world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
            assert len(self.hospital.loads) == before and not Studies(world.view).updates(self.last())
            world.run("runner", "studies:Abort", {**place, "reason": "site.cohort-too-small"})
            self.attempt, self.stopped = self.attempt + 1, self.stopped + 1
            return
        answer = world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
        if self.choose.random() < 0.3:  # a repeated message reads nothing again
            world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
        (read,) = self.hospital.loads[before:]
        assert set(read) == left, "training reads the committed list, minus exactly those who took their grant back"
        self.trained += len(read)
        self.seen |= set(read)
        model = self.chain.entering(Studies(world.view).study(self.study), self.last())
        world.blobs.put(to_bytes(answer.vector))
        made = aggregate(model, {self.hospital.msp: answer.vector}, {self.hospital.msp: 66})
        world.blobs.put(to_bytes(made))
        world.run("runner", "studies:Close", {**place, "model": digest(made)})
        self.round, self.attempt = self.round + 1, 1

    def last(self):
        return Studies(self.world.view).last(self.study, self.round)


GENTLE = {"clip": "1", "sigma": "200", "q": "0.2", "steps": 2, "delta": "0.0001", "records_per_patient": 1,
          "unit": "patient"}  # fmt: skip


@pytest.mark.timeout(3600)
def test_no_record_trains_without_a_valid_consent(tmp_path):
    start, trained, refused, stopped = seed(), 0, 0, 0
    print(f"COVENANT_SEED={start}")
    for number in range(SCHEDULES):
        choose = random.Random(f"{start}/{number}")
        schedule = Schedule(tmp_path / str(number), choose)
        for _ in range(choose.randrange(4, 14)):
            choose.choice([schedule.disturb, schedule.learn, schedule.learn, schedule.wait])()
        trained += schedule.trained
        refused += len(schedule.people) - len(schedule.seen)
        stopped += schedule.stopped
    assert trained and refused and stopped, "the schedules must admit, keep out, and leave too few"
