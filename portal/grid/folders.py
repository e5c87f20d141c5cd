"""Where a hospital's worker keeps what it trains with, below its data folder. Any node may ask: no patient is near."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings


def attempts_folder() -> Path:
    return Path(settings.NODE.data) / "attempts"


def vectors_folder() -> Path:
    return Path(settings.NODE.data) / "models"


def public_weights_folder() -> Path:
    """The files that a study may start from, each under its SHA-256."""
    return Path(settings.NODE.data) / "public-weights"
