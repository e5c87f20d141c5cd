"""This code's own ceiling on what one plan may spend: a majority that raised the contracts' would not raise it here.

The ledger's account gates first, over all studies and in decimals; this looks at one plan alone.
"""

from __future__ import annotations

from training.errors import TrainingError
from training.federation.studies import Plan
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import Gaussian, PoissonSampledGaussian
from training.privacy.mechanism import Mechanism, number

MAX_EPSILON = 10.0


def check(plan: Plan) -> None:
    """Return quietly if every attempt of `plan` and its metrics stay within MAX_EPSILON at the plan's own delta.

    Raises TrainingError `site.over-ceiling`, PrivacyRefused `privacy.*`.
    """
    mechanism = Mechanism.of(plan.privacy)
    event, attempts = mechanism.event, plan.rounds + plan.spare_attempts
    every = PoissonSampledGaussian(event.sigma, event.q, event.steps * attempts)
    metrics = Gaussian(number(plan.metrics.sigma, "sigma"))
    if rdp_epsilon([every, metrics], mechanism.delta) > MAX_EPSILON * (1 + 1e-9):
        raise TrainingError("site.over-ceiling", "this plan would spend more than the code installed here allows")
