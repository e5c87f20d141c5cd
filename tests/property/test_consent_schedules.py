"""The promise itself: whatever happens in whatever order, no record trains without a consent valid at that round.

Random schedules of grants, noes that hold for some days, withdrawals (on the ledger, on another member's page, or at
the hospital's counter), expiry by time, a newer text with each rule there is of what the older one still permits,
children with two guardians who are asked and come of age, representatives whose mandates begin and end, and rounds of
several studies run against the real agent, gate, contracts and trainer: private rounds of a tiny model. What each round
read is compared with a model that knows nothing of them: the plain history of who said what at which block.
COVENANT_SOAK=1 runs 1,000 schedules, else 25; COVENANT_SEED repeats one.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from consent.limits import NO_LIMITS, Denial, Limits
from consent.mandate import Age, Mandate
from consent.versions import StillPermits
from tests.support.federated_hospital import TEXT, Hospital
from tests.support.federation import World, seed
from training.errors import TrainingError
from training.federation.aggregate import aggregate
from training.federation.chain import Chain, MemoryVectors
from training.federation.studies import Studies
from training.federation.vectors import digest, to_bytes
from training.site.stores import TRAINING, Attempt
from training.site.trainer import SiteTrainer

SCHEDULES = 1000 if os.environ.get("COVENANT_SOAK") == "1" else 25
MONTHS = [("2026-01", "2027-12"), ("2026-11", "2026-11"), ("2026-10", "2026-10"), ("2026-12", "2027-03")]
DAY = 86_400
RULES: tuple[StillPermits, ...] = ("all", "no-new-studies", "nothing")
NEWER = "heart-2026.2"


@dataclass(frozen=True)
class Life:
    """When a patient is asked, and grown; in which time somebody represents them: epoch seconds, None where never."""

    asked: int | None = None
    grown: int | None = None
    represented: tuple[int, int] | None = None

    def is_child(self, when: int) -> bool:
        return self.grown is not None and when < self.grown

    def spans(self, speaker: str) -> tuple[int, int]:
        """In which time `speaker` may speak."""
        if speaker == "aunt":
            assert self.represented is not None
            return self.represented
        assert self.grown is not None
        return 0, self.grown


GROWN_UP = Life()


@dataclass
class Said:
    """One grant in the model's own words. `speaker`: "" the patient; `given`: epoch seconds. `newer`: under the newer
    text. `no`: the first and last day (count from 1970) on which it says no to all research, whatever else it says.
    """

    patient: str
    speaker: str
    given: int
    heart: bool
    starts: str
    ends: str
    signed: bool
    recorded: int
    newer: bool = False
    no: tuple[int, int] | None = None
    withdrawn: int | None = None
    at_the_counter: bool = False

    @property
    def gone(self) -> bool:
        return self.withdrawn is not None or self.at_the_counter


@dataclass
class History:
    said: dict[str, Said] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    rule: str = "all"  # what consents under the first text permit once there is a newer one
    newer: int | None = None  # since when there is, epoch seconds
    agreed: int = 0  # when the hospital approved the plan of the study that asks

    def may_train(self, patient: str, when: int, opened: int) -> bool:
        """By the rules as people read them, at the block that opened the round and with what was known by then."""
        life, month = self.lives.get(patient, GROWN_UP), datetime.fromtimestamp(when, UTC).strftime("%Y-%m")
        yes, enough, spoken = set(), False, set()
        for name, one in self.said.items():
            if one.patient != patient:
                continue
            own = one.speaker == ""
            heard = self.is_heard(one, life, when)
            if one.gone and (own or heard):
                spoken.add(one.speaker)
            if one.no and not one.gone and (own or heard) and one.no[0] <= when // DAY <= one.no[1]:
                return False
            in_time = one.starts <= month <= one.ends and one.recorded <= opened
            if not (heard and in_time and self.stands(name)) or self.is_old(one, when):
                continue
            spoken.add(one.speaker)
            if one.heart:
                yes.add(one.speaker)
                enough = enough or not (own and life.is_child(when))
        asked = life.is_child(when) and when >= (life.asked or 0)
        return enough and spoken <= yes and ("" in yes or not asked)

    def is_old(self, one: Said, when: int) -> bool:
        """Whether the text that this was said under has said that it permits this study nothing any more."""
        if one.newer or self.newer is None or when < self.newer:
            return False
        return self.rule == "nothing" or (self.rule == "no-new-studies" and self.agreed >= self.newer)

    def is_heard(self, one: Said, life: Life, when: int) -> bool:
        """Whether who said this may say it now, and might then."""
        if one.speaker:
            first, last = life.spans(one.speaker)
            return first <= one.given < last and first <= when < last
        if life.is_child(one.given):
            return life.is_child(when)
        told = any(other.speaker == "aunt" and other.patient == one.patient for other in self.said.values())
        return not told or life.represented is None or not life.represented[0] <= one.given < life.represented[1]

    def stands(self, name: str) -> bool:
        """Whether nobody took this grant back, nor, where it is paper, any grant by the same speaker."""
        one = self.said[name]
        who = (one.patient, one.speaker)
        left = any(other.gone for other in self.said.values() if (other.patient, other.speaker) == who)
        return not one.gone and (one.signed or not left)


class Schedule:
    def __init__(self, folder: Path, choose: random.Random) -> None:
        self.choose = choose
        rule = choose.choice(RULES)
        self.world = World(folder, hospitals=1, patients=26, held_out=1, trainer=SiteTrainer(), still_permits=rule)
        self.hospital: Hospital = next(iter(self.world.hospitals.values()))
        self.people = [name for name in self.hospital.features if name not in self.hospital.held_out]
        self.history = History(rule=rule)
        self.trained = 0
        self.stopped = 0
        self.seen: set[str] = set()
        self.history.lives = dict(zip(self.people, self.some_lives(), strict=False))
        for patient, life in self.history.lives.items():
            if life.grown is not None:
                self.grant(patient, "mother", usual=True)
        for patient in self.people:
            self.grant(patient, usual=True)
        self.studies = 0
        self.begin_a_study()

    def begin_a_study(self) -> None:
        self.studies += 1
        self.history.agreed = int(self.world.now)
        shape = {"rounds": 1000, "spare_attempts": 1000, "privacy": GENTLE, "cohort_seconds": 600}
        self.study = self.world.study(self.studies, **shape)
        self.chain = Chain(Studies(self.world.view), self.world.blobs, MemoryVectors())
        self.round, self.attempt = 1, 1

    def change_texts(self) -> None:
        """Once: a newer text. Many are asked again and say yes to it; some do not."""
        if self.history.newer is not None:
            return
        self.world.supersede(NEWER)
        self.history.newer = int(self.world.now)
        for patient in self.people:
            if patient not in self.history.lives and self.choose.random() < 0.8:
                self.grant(patient, usual=True)

    def some_lives(self) -> list[Life]:
        """Small children, bigger ones, some who are grown up soon; and adults whom somebody represents for a while."""
        now, soon = int(self.world.now), lambda: self.choose.randrange(1, 40) * DAY
        small = [Life(asked=now + soon(), grown=now + 4000 * DAY) for _ in range(2)]
        grows = [Life(asked=now - DAY, grown=now + soon()) for _ in range(3)]
        ill = [Life(represented=(now + start, now + start + soon())) for start in (self.choose.randrange(9) * DAY, DAY)]
        return [*small, *grows, *ill]

    def grant(self, patient: str, speaker: str = "", *, usual: bool = False) -> None:
        life, now = self.history.lives.get(patient, GROWN_UP), int(self.world.now)
        heart = usual or self.choose.random() < 0.7
        months = MONTHS[0] if usual else self.choose.choice(MONTHS[:3] if life is not GROWN_UP else MONTHS)
        signed = usual or self.choose.random() < 0.7
        newer, no = self.history.newer is not None, None if usual else self.some_no()
        made = self.hospital.grant(
            patient,
            preset="heart-disease" if heart else "cancer",
            months=months,
            attestation="portal-key" if signed else "hospital-attested",
            age=age_of(life),
            mandate=mandate_of(life, speaker),
            speaker=speaker,
            text=NEWER if newer else TEXT,
            limits=NO_LIMITS if no is None else Limits(denied=(Denial(starts=day(no[0]), ends=day(no[1])),)),
        )
        said = Said(patient, speaker, now, heart, *months, signed, self.world.ledger.height, newer, no)
        self.history.said[made.commitment] = said

    def some_no(self) -> tuple[int, int] | None:
        if self.choose.random() < 0.8:
            return None
        first = int(self.world.now) // DAY + self.choose.randrange(-20, 20)
        return first, first + self.choose.randrange(15)

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
        step = self.choose.choice(
            [self.withdraw, self.withdraw, self.hand_in, self.grant_anybody, self.speak, self.speak]
        )
        step()

    def grant_anybody(self) -> None:
        self.grant(self.choose.choice(self.people))

    def speak(self) -> None:
        """Somebody says something for one of those who do not, or not alone, decide."""
        patient = self.choose.choice(list(self.history.lives))
        life = self.history.lives[patient]
        speaker = "aunt" if life.represented else self.choose.choice(["mother", "father"])
        if life.spans(speaker)[1] > self.world.now:  # a mandate that is over signs nothing more
            self.grant(patient, speaker)

    def learn(self) -> None:
        """One attempt at a round, with things happening between its steps; sometimes it is aborted."""
        world, place = self.world, {"study": self.study, "round": self.round, "attempt": self.attempt}
        world.run("runner", "studies:Open", {**place, "kind": "training"})
        opened = world.ledger.height
        when = int(world.now)
        while self.choose.random() < 0.4:
            self.disturb()
        allowed = {patient for patient in self.people if self.history.may_train(patient, when, opened)}
        answer = world.ask(self.hospital.msp, "cohort", self.study, self.round, self.attempt)
        frozen = self.hospital.cohorts.get(Attempt(self.study, self.round, self.attempt, TRAINING))
        members = {member.patient for member in frozen.members} if frozen else set()
        assert members == (allowed if len(allowed) >= 20 else set())
        assert (answer.facts["declined"] == "yes") == (not members)
        while self.choose.random() < 0.3:
            self.disturb()
        if members and self.choose.random() < 0.85:
            self.train(place, {member.patient: member.commitment for member in frozen.members}, when, opened)
        else:
            world.run("runner", "studies:Abort", {**place, "reason": "test.abort"})
            self.attempt += 1

    def train(self, place: dict, members: dict[str, str], when: int, opened: int) -> None:
        """`members`: the frozen cohort, each patient with the grant that let them in."""
        world = self.world
        world.run("runner", "studies:Fix", place)
        while self.choose.random() < 0.3:
            self.disturb()
        if self.choose.random() < 0.3:
            self.many_withdraw_elsewhere(list(members.values()))
        left = {
            patient
            for patient, name in members.items()
            if self.history.stands(name) and self.history.may_train(patient, when, opened)
        }
        before = len(self.hospital.loads)
        if len(left) < 20:
            with pytest.raises(TrainingError, match=r"site\.attempt-lost"):
                world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
            assert len(self.hospital.loads) == before and not Studies(world.view).updates(self.last())
            world.run("runner", "studies:Abort", {**place, "reason": "site.attempt-lost"})
            self.attempt, self.stopped = self.attempt + 1, self.stopped + 1
            return
        answer = world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
        if self.choose.random() < 0.3:  # a repeated message reads nothing again
            world.ask(self.hospital.msp, "train", self.study, self.round, self.attempt)
        (read,) = self.hospital.loads[before:]
        assert set(read) == left, "training reads the committed list, minus exactly those who took their grant back"
        assert np.isfinite(answer.vector).all() and answer.vector.all(), "noise moves every weight"
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


def day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).date().isoformat()


def instant(when: int) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat()


def age_of(life: Life) -> Age | None:
    if life.grown is None or life.asked is None:
        return None
    return Age(assents_from=instant(life.asked), of_age_from=instant(life.grown), policy="ages", evidence="ab" * 32)


def mandate_of(life: Life, speaker: str) -> Mandate | None:
    if not speaker:
        return None
    first, last = life.spans(speaker)
    office = "representative" if speaker == "aunt" else "guardian"
    return Mandate(office=office, starts=instant(first), ends=instant(last), evidence="cd" * 32)


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
            steps = [schedule.disturb, schedule.learn, schedule.learn, schedule.wait]
            choose.choice([*steps * 3, schedule.change_texts, schedule.begin_a_study])()
        trained += schedule.trained
        refused += len(schedule.people) - len(schedule.seen)
        stopped += schedule.stopped
    assert trained and refused and stopped, "the schedules must admit, keep out, and leave too few"
