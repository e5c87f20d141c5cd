"""A plan's privacy parameters, checked once at the door: what each step clips to, adds and samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import msgspec

from training.errors import PrivacyRefused
from training.privacy.events import PoissonSampledGaussian, require_delta

PATIENT, IMAGE = "patient", "image"
UNITS = (PATIENT, IMAGE)  # an image where the source names no patients: each of them counts by itself


class PrivacyParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `privacy` part of a plan as it stands on the ledger: decimals as strings."""

    clip: str
    sigma: str
    q: str
    steps: int
    delta: str
    records_per_patient: int
    unit: str


@dataclass(frozen=True, slots=True)
class Mechanism:
    """DP-SGD of one round: `event`, the L2 `clip` bound (> 0) of one patient, and at most so many records of each.

    Where the plan's unit is the image, an image is what this and the engine call a patient: it has one record.
    """

    event: PoissonSampledGaussian
    clip: float
    delta: float
    records_per_patient: int

    @classmethod
    def of(cls, privacy: object) -> Mechanism:
        """The mechanism that `privacy` (a mapping, or a struct with a plan's names) describes.

        Raises PrivacyRefused `privacy.malformed`, `privacy.sigma`, `privacy.q`, `privacy.steps`, `privacy.clip`,
        `privacy.delta`, `privacy.records`, `privacy.unit`.
        """
        try:
            plan = msgspec.convert(privacy, PrivacyParameters, from_attributes=True)
        except msgspec.ValidationError as error:
            raise PrivacyRefused("privacy.malformed", f"the plan's privacy part does not fit: {error}") from None
        if plan.unit not in UNITS:
            raise PrivacyRefused("privacy.unit", f"the plan's unit must be one of {', '.join(UNITS)}")
        if plan.records_per_patient < 1:
            raise PrivacyRefused("privacy.records", "records_per_patient must be at least 1")
        if plan.unit == IMAGE and plan.records_per_patient != 1:
            raise PrivacyRefused("privacy.records", "where an image is the unit, records_per_patient must be 1")
        clip, delta = number(plan.clip, "clip"), number(plan.delta, "delta")
        if clip <= 0:
            raise PrivacyRefused("privacy.clip", "clip must be above 0")
        require_delta(delta)
        event = PoissonSampledGaussian(number(plan.sigma, "sigma"), number(plan.q, "q"), plan.steps)
        return cls(event, clip, delta, plan.records_per_patient)

    @property
    def noise(self) -> float:
        """The standard deviation of the noise on each coordinate of a step's clipped sum."""
        return self.event.sigma * self.clip


def number(text: str | float, name: str) -> float:
    """A plan's decimal string (or a number) as a finite float; raises PrivacyRefused `privacy.<name>`."""
    try:
        value = float(Decimal(text))
    except (InvalidOperation, TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise PrivacyRefused(f"privacy.{name}", f"{name} must be a decimal number, written as a string like 1.5")
    return value
