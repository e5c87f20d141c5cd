"""The errors of the training package, by what can be done about them."""

from __future__ import annotations

from consent.errors import CovenantError


class TrainingError(CovenantError):
    """The base of every error of the training package. Messages never hold a cell, a patient's id or a weight."""


class PrivacyRefused(TrainingError):
    """A mechanism, rate or target outside its range: codes `privacy.*`, `calibration.*`. Correct the plan."""


class DataRefused(TrainingError):
    """Records that cannot be read as they stand: codes `data.*`. Nothing of the file was used; correct the file."""


class ModelRefused(TrainingError):
    """A configuration, network or weights that do not fit: codes `model.*`, `weights.*`. Correct the configuration."""


class OutgoingRefused(TrainingError):
    """An update that must not leave the hospital: codes `outgoing.*`. Nothing was sent."""
