"""What an auditor would run on the trainer and its account: is what was claimed what was done?

Each check takes nothing and says whether all is well. It goes through the trainer's public door, from a plan to an
update, on networks whose gradient is known: a linear one of so many weights whose loss is its output, so that a
patient's gradient is the patient's record. A true trainer fails a check about once in a million runs.
`tests/support/privacy_mutants.py` holds the trainers that are wrong on purpose, and the checks that find them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dp_accounting
import numpy as np
import torch
from dp_accounting.rdp import RdpAccountant
from numpy.typing import NDArray
from scipy import stats
from torch import nn

from consent.canonical import decode
from ledger.contracts import rdp
from tests.support.federation import World
from training.federation.studies import Studies
from training.models import heart, networks
from training.models.description import Defaults, Description
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import PoissonSampledGaussian
from training.site import trainer
from training.site.trainer import SiteTrainer

Check = Callable[[], bool]
Update = NDArray[np.float64]

WIDE, CANARIES, PATIENTS = 20_000, 2_000, 60
SIGMA, CLIP, EXPECTED = 1.7, 0.8, 30.0
RARE = 1e-6
FEATURES = "checks"


def add_networks(descriptions: dict[str, Description], builders: dict[str, Any], engine: str) -> None:
    """The linear networks of the checks, beside those that plans may name, all for `engine`."""
    for name, one in descriptions.items():
        descriptions[name] = replace(one, engine=engine)
    for width in (WIDE, CANARIES, PATIENTS):
        name = model(width)
        defaults = Defaults(name, FEATURES, 0, "1", 1, 1, "1", "1", "0.0001", "1", "1")
        shapes = {"weight": (1, width), "bias": (1,)}
        descriptions[name] = Description(defaults, (width,), lambda hidden, shapes=shapes: shapes, engine, 8192)
        builders[name] = lambda hidden, width=width: networks.Network(nn.Linear(width, 1), output, output)


def model(width: int) -> str:
    return f"linear-{width}"


def output(outputs: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
    return outputs.mean()


def update(
    features: NDArray[np.float32],
    *,
    sigma: float = SIGMA,
    q: float = 1.0,
    steps: int = 1,
    owners: NDArray[np.integer] | None = None,
) -> Update:
    """The noised sums of one round in clip's units, each weight's; a record is a patient's own unless `owners` tells.

    The last weight, the bias, is left out: its gradient is 1 for everybody.
    """
    count, width = features.shape
    privacy = {
        "clip": str(CLIP), "sigma": f"{sigma:.9f}", "q": str(q), "steps": steps, "delta": "0.0001",
        "records_per_patient": max(1, count), "unit": "patient",
    }  # fmt: skip
    configuration = {"model": model(width), "hidden": 0, "learning_rate": "1", "local_steps": steps,
                     "features": FEATURES}  # fmt: skip
    owners = np.arange(count) if owners is None else owners
    start = np.zeros(width + 1, np.float32)
    moved = trainer.train(start, features, np.zeros(count, np.int64), owners, privacy, configuration, EXPECTED)
    return -moved[:-1].astype(np.float64) * EXPECTED / CLIP


def nothing() -> NDArray[np.float32]:
    """Patients whose records have no gradient but the bias'."""
    return np.zeros((PATIENTS, WIDE), np.float32)


def noise_has_the_claimed_size() -> bool:
    """Two-sided chi-squared test on the weights that have no gradient."""
    noise = update(nothing()) / SIGMA
    square = float(noise @ noise)
    return bool(2 * min(stats.chi2.cdf(square, WIDE), stats.chi2.sf(square, WIDE)) > RARE)


def noise_is_fresh() -> bool:
    """No correlation between what four calls release: rounds, hospitals, or one hospital before and after a restart."""
    several = [update(nothing()) for _ in range(4)]
    correlations = np.corrcoef(several)[np.triu_indices(4, 1)]
    return bool((abs(correlations) < stats.norm.isf(RARE) / np.sqrt(WIDE)).all())


def weights_get_noise_of_their_own() -> bool:
    """No correlation between the noise of one call and itself, moved on by any number of weights."""
    noise = update(nothing())
    power = abs(np.fft.rfft(noise - noise.mean())) ** 2
    correlations = np.fft.irfft(power, WIDE)[1 : WIDE // 2] / noise.var() / WIDE
    return bool(abs(correlations).max() < stats.norm.isf(RARE / WIDE) / np.sqrt(WIDE))


def steps_draw_noise_of_their_own() -> bool:
    """Five steps' noise adds up in variance; the same noise five times would be five times too much."""
    noise = update(nothing(), steps=5) / SIGMA
    square = float(noise @ noise) / 5
    return bool(2 * min(stats.chi2.cdf(square, WIDE), stats.chi2.sf(square, WIDE)) > RARE)


def clipping_binds() -> bool:
    """Patients with a huge gradient, each in a direction of its own, move the sum by `clip` each: no more, no less."""
    moved = update(1e4 * np.eye(CANARIES, dtype=np.float32))
    return bool(abs(moved.mean() - 1) < stats.norm.isf(RARE / 2) * SIGMA / np.sqrt(CANARIES))


def a_patient_counts_once() -> bool:
    """50 records of one patient, all alike, move the sum by no more than `clip`: the mean of 60 noisy looks at it."""
    alike = np.zeros((50, PATIENTS), np.float32)
    alike[:, 0] = 10.0
    moved = np.array([update(alike, owners=np.zeros(50, np.int64))[0] for _ in range(60)])
    return bool(moved.mean() < 1 + stats.norm.isf(RARE) * SIGMA / np.sqrt(60))


def patients_are_sampled_at_q() -> bool:
    """With next to no noise, the counts of patients a step are binomial, in their mean and their spread."""
    each, q = np.eye(PATIENTS, dtype=np.float32), 0.5
    counts = np.array([(update(each, sigma=1e-6, q=q) > 0.25).sum() for _ in range(200)])
    total = stats.binomtest(int(counts.sum()), counts.size * PATIENTS, q).pvalue
    spread = float(((counts - PATIENTS * q) ** 2).sum() / (PATIENTS * q * (1 - q)))
    return bool(min(total, 2 * stats.chi2.cdf(spread, counts.size), 2 * stats.chi2.sf(spread, counts.size)) > RARE)


def steps_draw_samples_of_their_own() -> bool:
    """With next to no noise, patients are counted over four steps: their number's spread is that of four draws.

    The same patients four times would be four times as spread, and their privacy is not amplified four times over.
    """
    each, q, steps = np.eye(PATIENTS, dtype=np.float32), 0.5, 4
    once = np.sqrt(0.5)  # a sampled patient's part of the clip; the other goes to the bias
    counts = np.array([np.rint(update(each, sigma=1e-6, q=q, steps=steps) / once).sum() for _ in range(60)])
    spread = float(((counts - steps * PATIENTS * q) ** 2).sum() / (steps * PATIENTS * q * (1 - q)))
    return bool(2 * min(stats.chi2.cdf(spread, counts.size), stats.chi2.sf(spread, counts.size)) > RARE)


def sums_are_divided_by_a_constant() -> bool:
    """With next to no noise, each patient that a step sampled moves the weights as far as in any other step."""
    each = np.eye(PATIENTS, dtype=np.float32)
    moved = [update(each, sigma=1e-6, q=0.5).max() for _ in range(20)]
    return bool(np.ptp(moved) < 1e-4)


def canaries_show_what_they_should() -> bool:
    """Two-sided: how well what leaves tells canaries that took part from others is what sigma, q and steps foretell.

    A canary moves one weight by `clip` in K of T steps, K binomial, under noise of variance T sigma^2 clip^2: the area
    under the curve is the mean of Phi(K / (sigma sqrt(2 T))). It deviates by at most sqrt(A (1 - A) / n), where n is
    the smaller one of the two groups (Birnbaum and Klose 1957).
    """
    sigma, q, steps = 1.0, 0.5, 4
    taking_part = np.random.default_rng().random(CANARIES) < 0.5
    scores = update(1e4 * np.eye(CANARIES, dtype=np.float32)[taking_part], sigma=sigma, q=q, steps=steps)
    inside, outside = int(taking_part.sum()), int((~taking_part).sum())
    ranks = stats.rankdata(scores)[taking_part].sum()
    area = (ranks - inside * (inside + 1) / 2) / (inside * outside)
    times = np.arange(steps + 1)
    expected = float(stats.binom.pmf(times, steps, q) @ stats.norm.cdf(times / (sigma * np.sqrt(2 * steps))))
    deviation = np.sqrt(expected * (1 - expected) / min(inside, outside))
    return bool(abs(area - expected) < stats.norm.isf(RARE / 2) * deviation)


def one_run_shows_no_more_than_claimed() -> bool:
    """A lower bound on epsilon from one run (Steinke, Nasr, Jagielski 2023, arXiv 2305.08846, theorem 5.2).

    Each canary takes part by the toss of a coin; whoever moves the sum most is guessed in, whoever least, out. A
    mechanism within epsilon lets no guess be right more often than e^epsilon / (1 + e^epsilon), but for delta.
    """
    delta = 1e-10
    taking_part = np.random.default_rng().random(CANARIES) < 0.5
    order = np.argsort(update(1e4 * np.eye(CANARIES, dtype=np.float32)[taking_part]))
    shown = 0.0
    for guesses in (20, 100, 9 * CANARIES // 20):
        right = int((~taking_part[order[:guesses]]).sum() + taking_part[order[-guesses:]].sum())
        rate = stats.beta.ppf(RARE - 2 * CANARIES * delta, right, 2 * guesses - right + 1) if right else 0.0
        shown = max(shown, float(np.log(rate / (1 - rate)))) if rate > 0.5 else shown
    return shown < rdp_epsilon([PoissonSampledGaussian(SIGMA, 1.0, 1)], delta)


def membership_stays_within_epsilon() -> bool:
    """Somebody who knows all other patients' records tells by the tabular model's loss whether one was trained on.

    True and false positives of the best threshold of one half of the models, on the other half: their one-sided
    Clopper-Pearson bounds must be possible within the claimed epsilon, true <= e^epsilon false + delta, both ways.
    """
    runs, delta = 400, 1e-4
    privacy = {
        "clip": "0.05", "sigma": "10", "q": "1", "steps": 5, "delta": str(delta), "records_per_patient": 1,
        "unit": "patient",
    }  # fmt: skip
    configuration = heart.DEFAULTS.configuration() | {"hidden": 0, "local_steps": 5}
    random = np.random.default_rng()
    features = random.uniform(-1, 1, (30, heart.INPUTS)).astype(np.float32)
    features[0] = 1.0
    labels, start = np.zeros(30, np.int64), np.zeros(heart.INPUTS + 1, np.float32)
    labels[0] = 1  # the one who is looked for is unlike all others

    def losses(kept: slice) -> Update:
        owners = np.arange(30)[kept]
        trained = (
            trainer.train(start, features[kept], labels[kept], owners, privacy, configuration, 30.0)
            for _ in range(runs)
        )
        logits = np.array([moved[:-1] @ features[0] + moved[-1] for moved in trained], np.float64)
        return np.log1p(np.exp(-logits))

    members, others = losses(slice(0, None)), losses(slice(1, None))
    half = runs // 2
    levels = np.quantile(np.concatenate([members[:half], others[:half]]), np.linspace(0.02, 0.98, 49))
    threshold = max(levels, key=lambda level: (members[:half] < level).mean() - (others[:half] < level).mean())
    shown = 0.0
    true, false = int((members[half:] < threshold).sum()), int((others[half:] < threshold).sum())
    for seen, mistaken in ((true, false), (half - false, half - true)):
        least = stats.beta.ppf(RARE / 4, seen, half - seen + 1) if seen else 0.0
        most = stats.beta.isf(RARE / 4, mistaken + 1, half - mistaken) if mistaken < half else 1.0
        shown = max(shown, float(np.log((least - delta) / most))) if least - delta > most else shown
    return shown < rdp_epsilon([PoissonSampledGaussian(10.0, 1.0, 5)], delta)


def the_account_holds_every_step() -> bool:
    """A study with an attempt that was thrown away: what the ledger booked and the certificate says is what ran.

    Steps are counted where they run. The account's curve is compared with dp-accounting's for those steps, not with our
    own; so is the epsilon of the certificate, which may be no less.
    """
    executed, real = [0], trainer.Step.change

    def counted(step: trainer.Step, *arguments: Any) -> Any:
        executed[0] += 1
        return real(step, *arguments)

    trainer.Step.change = counted
    try:
        with TemporaryDirectory() as folder:
            account, privacy = study_with_a_lost_attempt(Path(folder))
    finally:
        trainer.Step.change = real
    (mechanisms,) = privacy["mechanisms"].values()
    told = sum(one["steps"] for one in mechanisms if "steps" in one)
    return told == executed[0] and same_curve(account, executed[0]) and no_less(privacy, executed[0])


def study_with_a_lost_attempt(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The hospital's account, and the privacy part of the certificate, after two rounds in three attempts."""
    world = World(folder, hospitals=1, patients=20, held_out=20, trainer=SiteTrainer())
    world.everybody_consents()
    study = world.study(rounds=2)
    place = {"study": study, "round": 1, "attempt": 1}
    world.run("runner", "studies:Open", {**place, "kind": "training"})
    world.ask("AlphaMSP", "cohort", study, 1, 1)
    world.run("runner", "studies:Fix", place)
    world.ask("AlphaMSP", "train", study, 1, 1)
    world.run("runner", "studies:Abort", {**place, "reason": "test.lost"})
    model = world.runner().run(study)
    certificate = decode(world.certify(Studies(world.view).study(study), model))
    account = world.view.entry("budget/account/AlphaMSP")
    assert account is not None
    return dict(account.body), certificate["privacy"]


def executed_event(steps: int) -> dp_accounting.DpEvent:
    """What ran: so many steps of the plan of `study_with_a_lost_attempt`, and its counts once."""
    step = dp_accounting.PoissonSampledDpEvent(0.2, dp_accounting.GaussianDpEvent(2.0))
    return dp_accounting.ComposedDpEvent(
        [dp_accounting.SelfComposedDpEvent(step, steps), dp_accounting.GaussianDpEvent(20.0)]
    )


def same_curve(account: dict[str, Any], steps: int) -> bool:
    booked = [value / rdp.UNIT for value in rdp.read(account["spent"])]
    theirs = RdpAccountant(list(rdp.ORDERS)).compose(executed_event(steps))._rdp
    return bool(np.allclose(booked, theirs, rtol=1e-9, atol=1e-15))


def no_less(privacy: dict[str, Any], steps: int) -> bool:
    theirs = RdpAccountant(list(rdp.ORDERS)).compose(executed_event(steps)).get_epsilon(float(privacy["delta"]))
    return float(privacy["epsilon_rdp"]) >= theirs * (1 - 1e-9)


@cache
def by_words() -> dict[str, Check]:
    """Every check, by the words under which the documentation names it."""
    return {
        "size of the noise": noise_has_the_claimed_size,
        "fresh noise": noise_is_fresh,
        "noise of each weight": weights_get_noise_of_their_own,
        "noise of each step": steps_draw_noise_of_their_own,
        "clipping binds": clipping_binds,
        "a patient counts once": a_patient_counts_once,
        "sampling": patients_are_sampled_at_q,
        "sample of each step": steps_draw_samples_of_their_own,
        "constant divisor": sums_are_divided_by_a_constant,
        "canaries": canaries_show_what_they_should,
        "one-run bound": one_run_shows_no_more_than_claimed,
        "membership inference": membership_stays_within_epsilon,
        "account against steps": the_account_holds_every_step,
    }
