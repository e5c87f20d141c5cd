"""Where the marks of a chart stand: pure geometry for the server-drawn SVG of the templates.

Every chart goes with a data table and a one-sentence summary; a mark's shape says its state, colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLUMN, ROW = 44, 52  # px of the drawing's own units; a row has its hospital's name above its marks, not beside them
LEFT, TOP, PANEL = 70, 24, 120  # room at the left for the scale, above for the line of the plan, for the epsilon line
LETTER = 7.6  # px: a letter of the widest usual system font at the size of charts.css, on average


@dataclass(frozen=True, slots=True)
class Mark:
    """One cell: its centre, its state (drawn as a shape) and what a reader hears."""

    x: int
    y: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class RoundsChart:
    """Attempts from left to right, hospitals from top to bottom, and above them epsilon as a staircase."""

    width: int
    height: int
    line: str  # the points of the staircase, as SVG wants them
    ceiling: int  # where the planned epsilon stands
    floor: int  # where epsilon 0 stands
    columns: tuple[Label, ...]
    rows: tuple[Label, ...]
    marks: tuple[Mark, ...]
    left: int
    label_x: int
    ceiling_text: int = TOP - 8
    middle: int = TOP + PANEL // 2


def rounds(
    columns: Sequence[str],
    rows: Sequence[str],
    states: Sequence[Sequence[tuple[str, str]]],
    epsilons: Sequence[float],
    planned: float,
) -> RoundsChart:
    """`states[row][column]`: (state, words). `epsilons[column]`: epsilon after that attempt, at most `planned`."""
    floor, left = TOP + PANEL, LEFT
    scale = PANEL / planned if planned > 0 else 0.0
    points = [f"{left},{floor}"]
    before = floor
    for number, epsilon in enumerate(epsilons):
        after = round(floor - min(epsilon, planned) * scale)
        middle = _x(left, number)
        points += [f"{middle},{before}", f"{middle},{after}"]
        before = after
    if epsilons:
        points.append(f"{left + len(columns) * COLUMN},{before}")
    head = floor + ROW
    return RoundsChart(
        width=max(left + max(1, len(columns)) * COLUMN, round(LETTER * max(map(len, rows), default=0))) + 16,
        height=head + ROW * len(rows) + 4,
        line=" ".join(points),
        ceiling=TOP,
        floor=floor,
        columns=tuple(Label(_x(left, number), floor + 20, text) for number, text in enumerate(columns)),
        rows=tuple(Label(0, head + ROW * number + 18, text) for number, text in enumerate(rows)),
        marks=tuple(
            Mark(_x(left, column), head + ROW * row + 32, state, words)
            for row, line in enumerate(states)
            for column, (state, words) in enumerate(line)
        ),
        left=left,
        label_x=left - 12,
    )


@dataclass(frozen=True, slots=True)
class BudgetBar:
    """A cap as a bar of 1000 units: spent, then reserved, then what happened elsewhere; the rest is left."""

    spent: int
    reserved: int
    elsewhere: int

    @property
    def elsewhere_from(self) -> int:
        return self.spent + self.reserved


def budget_bar(*, cap: float, spent: float, reserved: float, elsewhere: float) -> BudgetBar:
    """`reserved`, `elsewhere`: the epsilon each adds on top of what stands before it. What is over the cap is cut."""
    unit = 1000 / cap if cap > 0 else 0.0
    first = min(1000, round(spent * unit))
    second = min(1000 - first, round(reserved * unit))
    return BudgetBar(first, second, min(1000 - first - second, round(elsewhere * unit)))


def _x(left: int, column: int) -> int:
    return left + COLUMN * column + COLUMN // 2
