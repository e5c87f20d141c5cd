"""What patients' finer choices look at besides the purpose: which study it is, since when, with which kinds of data."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

Category = Literal["diagnoses", "free-text", "genomics", "images", "measurements", "medication"]
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)  # in order


class Occasion(NamedTuple):
    """The study that asks. `study`: its UUID, "" where there is none yet. `agreed`: when this hospital approved its
    plan, epoch seconds, None where it has not. `categories`: what the data set holds, empty where nobody has said.
    """

    study: str = ""
    agreed: int | None = None
    categories: tuple[str, ...] = ()


NO_STUDY: Final = Occasion()  # a question before any study: it is on nobody's list, and no old consent reaches it
