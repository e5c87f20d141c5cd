"""Trainers and accounts that are wrong on purpose: each a change of the real code in place, and who finds it.

`docs/formats/training.md` has the same table; tests/docs compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from ledger.contracts import accounts, rdp
from training.federation import release
from training.federation.studies import Studies, Study
from training.privacy.events import Event
from training.privacy.mechanism import Mechanism
from training.privacy.noise import REKEY_AFTER, Keystream
from training.site import trainer

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """`wrong`: what, in the table's words. `found_by`: names of `privacy_checks.by_words`, each of which fails."""

    wrong: str
    apply: Callable[[Patch], None]
    found_by: tuple[str, ...]


def noise_times(factor: float) -> Callable[[Patch], None]:
    def apply(patch: Patch) -> None:
        patch.setattr(Mechanism, "noise", property(lambda self: factor * self.event.sigma * self.clip))

    return apply


def noise_after_the_release(patch: Patch) -> None:
    """What is given back, and so sent, has no noise; a copy that nobody sends gets it."""
    real = trainer.run

    def run(weights: Any, patients: Any, step: Any, steps: int) -> Any:
        mechanism = step.mechanism
        silent = replace(mechanism, event=replace(mechanism.event, sigma=1e-9))
        update = real(weights, patients, replace(step, mechanism=silent), steps)
        kept = update + step.scale * mechanism.noise * step.stream.normals(len(update))
        assert kept.shape == update.shape
        return update

    patch.setattr(trainer, "run", run)


def a_seed_used_again(patch: Patch) -> None:
    """As set_determinism would: every call, hospital and restart begins with the same key."""

    def renew(self: Keystream) -> None:
        self._cipher = self._open(bytes(32), bytes(16))
        self._left, self._process = REKEY_AFTER, os.getpid()

    patch.setattr(Keystream, "_renew", renew)


def a_seed_for_each_step(patch: Patch) -> None:
    real = trainer.Step.change

    def change(self: trainer.Step, *arguments: Any) -> Any:
        self.stream._cipher = self.stream._open(bytes(32), bytes(16))
        return real(self, *arguments)

    patch.setattr(trainer.Step, "change", change)


def a_number_for_two_weights(patch: Patch) -> None:
    """Its size is right, and the difference of two weights has no noise at all."""
    real = Keystream.normals
    patch.setattr(Keystream, "normals", lambda self, count: np.repeat(real(self, (count + 1) // 2), 2)[:count])


def no_clip(patch: Patch) -> None:
    real = trainer.engine
    patch.setattr(trainer, "engine", lambda configuration, clip, device: real(configuration, 1e9, device))


def a_wider_clip(patch: Patch) -> None:
    real = trainer.engine
    patch.setattr(trainer, "engine", lambda configuration, clip, device: real(configuration, 1.5 * clip, device))


def another_rate(patch: Patch) -> None:
    real = trainer.poisson_sample
    patch.setattr(trainer, "poisson_sample", lambda patients, q, stream: real(patients, min(1.0, q + 0.05), stream))


def samples_of_a_fixed_size(patch: Patch) -> None:
    """Their mean is right; their analysis is another one."""

    def fixed(patients: int, q: float, stream: Keystream) -> Any:
        return np.sort(np.argsort(stream.uniforms(patients))[: round(q * patients)])

    patch.setattr(trainer, "poisson_sample", fixed)


def a_sample_for_all_steps(patch: Patch) -> None:
    """Drawn once a round: its rate is right, and nothing is amplified from step to step."""
    real = trainer.poisson_sample
    drawn: dict[int, tuple[Keystream, Any]] = {}  # the streams are kept, so that no other takes an address over

    def sampled(patients: int, q: float, stream: Keystream) -> Any:
        if id(stream) not in drawn:
            drawn[id(stream)] = stream, real(patients, q, stream)
        return drawn[id(stream)][1]

    patch.setattr(trainer, "poisson_sample", sampled)


def divided_by_the_sample(patch: Patch) -> None:
    real, last = trainer.poisson_sample, [0]

    def sampled(patients: int, q: float, stream: Keystream) -> Any:
        chosen = real(patients, q, stream)
        last[0] = len(chosen)
        return chosen

    change = trainer.Step.change

    def divided(self: trainer.Step, weights: Any, patients: Any) -> Any:
        moved = change(self, weights, patients)
        return moved * self.mechanism.event.q * len(patients) / max(1, last[0])

    patch.setattr(trainer, "poisson_sample", sampled)
    patch.setattr(trainer.Step, "change", divided)


def records_for_patients(patch: Patch) -> None:
    real = trainer.group
    patch.setattr(
        trainer,
        "group",
        lambda features, labels, owners, most: real(features, labels, np.arange(len(owners)), most),
    )


def an_account_that_forgets(patch: Patch) -> None:
    """The accountant that is made anew each round: only the last event stands in it."""
    real = accounts.spend
    patch.setattr(
        accounts,
        "spend",
        lambda account, event: msgspec.structs.replace(real(account, event), spent=rdp.written(event)),
    )


def a_certificate_of_closed_rounds(patch: Patch) -> None:
    """What discarded attempts spent is left out."""
    real = release.spent

    def spent(studies: Studies, study: Study) -> dict[str, list[Event]]:
        lost = sum(one.status == "aborted" for one in studies.rounds(study.study))
        return {site: events[lost:] for site, events in real(studies, study).items()}

    patch.setattr(release, "spent", spent)


def a_step_more(patch: Patch) -> None:
    real = trainer.run
    patch.setattr(trainer, "run", lambda weights, patients, step, steps: real(weights, patients, step, steps + 1))


MUTANTS = (
    Mutant("half the noise", noise_times(0.5), ("size of the noise", "canaries")),
    Mutant("a tenth less noise", noise_times(0.9), ("size of the noise",)),
    Mutant("a tenth more noise", noise_times(1.1), ("size of the noise",)),
    Mutant("twice the noise", noise_times(2.0), ("size of the noise", "noise of each step")),
    Mutant("a tenth of the noise", noise_times(0.1), ("size of the noise", "canaries", "one-run bound")),
    Mutant(
        "noise added after the release",
        noise_after_the_release,
        ("size of the noise", "canaries", "one-run bound", "membership inference"),
    ),
    Mutant("a seed used again by hospitals, rounds and restarts", a_seed_used_again, ("fresh noise",)),
    Mutant("the same noise in each local step", a_seed_for_each_step, ("noise of each step", "fresh noise")),
    Mutant("the same noise for two weights", a_number_for_two_weights, ("noise of each weight",)),
    Mutant("no clipping", no_clip, ("clipping binds", "canaries", "one-run bound", "membership inference")),
    Mutant("a clip half as wide again", a_wider_clip, ("clipping binds",)),
    Mutant("patients sampled at another rate", another_rate, ("sampling",)),
    Mutant("samples of a fixed size", samples_of_a_fixed_size, ("sampling",)),
    Mutant("the same sample in each local step", a_sample_for_all_steps, ("sample of each step",)),
    Mutant("sums divided by the sample's size", divided_by_the_sample, ("constant divisor",)),
    Mutant("records counted as patients", records_for_patients, ("a patient counts once",)),
    Mutant("an account that forgets its history", an_account_that_forgets, ("account against steps",)),
    Mutant(
        "a certificate without discarded attempts", a_certificate_of_closed_rounds, ("account against steps",)
    ),
    Mutant("a step more than was paid for", a_step_more, ("account against steps",)),
)  # fmt: skip
