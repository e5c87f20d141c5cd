"""What a site looks at before it trains from public weights: are they those of its own copy of the file?"""

from __future__ import annotations

from pathlib import Path

from training.errors import ModelRefused
from training.federation.studies import Plan
from training.federation.vectors import digest
from training.models import public, registry


def check(plan: Plan, folder: Path) -> None:
    """Return quietly where `plan` starts from the public weights that it names, or names none.

    `plan`: of a restart, that of the first study, which began with them. Raises ModelRefused `weights.initial` and as
    `public.weights`.
    """
    if registry.configuration(plan.configuration).public_weights is None:
        return
    if digest(public.weights(folder, plan.configuration)) != plan.initial:
        message = "the plan starts from other weights than those of the file that it names: propose it anew"
        raise ModelRefused("weights.initial", message)
