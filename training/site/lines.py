"""The lines of a hospital's CSV, each cell checked when it is taken.

Each error names the file, the line and the column and says what to do. It never repeats a cell or a patient's id:
errors end in logs.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.errors import DataRefused


@dataclass(frozen=True, slots=True)
class Line:
    """One line of `file`, with what an error about it has to say."""

    file: str
    number: int
    columns: dict[str, int]
    cells: list[str]

    def cell(self, column: str) -> str:
        text = self.cells[self.columns[column]].strip()
        if not text:
            raise self.refuse("data.empty-cell", column, "is empty: fill it in, or leave the patient out of the file")
        return text

    def decimal(self, column: str, lowest: float, highest: float) -> float:
        text = self.cell(column)
        try:
            value = math.nan if "_" in text else float(text)  # Python's own numbers may have underscores
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse("data.not-a-number", column, "is not a number: write digits with a point")
        if not lowest <= value <= highest:
            raise self.refuse("data.out-of-range", column, f"is outside {lowest} to {highest}: check its unit")
        return value

    def choice(self, column: str, values: tuple[str, ...]) -> int:
        text = self.cell(column)
        if text not in values:
            raise self.refuse("data.unknown-value", column, f"is none of {', '.join(values)}")
        return values.index(text)

    def refuse(self, code: str, column: str, what: str) -> DataRefused:
        message = f"{self.file}, line {self.number}: column {column} {what}"
        return DataRefused(code, message, file=self.file, line=self.number, column=column)


def lines(file: str, data: bytes, wanted: Sequence[str], patient: str) -> Iterator[Line]:
    """The lines of `data`, one a patient, whose id stands in the column `patient`.

    `data`: UTF-8, a heading with the columns `wanted` and perhaps others, a line feed at the end.

    Raises DataRefused `data.encoding`, `data.empty`, `data.truncated`, `data.missing-column`, `data.repeated-column`,
    `data.cells`, `data.empty-cell`, `data.duplicate-patient`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataRefused("data.encoding", f"{file} is not UTF-8 text: export it again as UTF-8", file=file) from None
    if not text.strip():
        raise DataRefused("data.empty", f"{file} is empty: export it again", file=file)
    if not text.endswith("\n"):
        raise DataRefused("data.truncated", f"{file} ends in the middle of a line: export it again", file=file)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns(file, next(reader), wanted)
        seen: set[str] = set()
        for cells in reader:
            yield _line(Line(file, reader.line_num, columns, cells), patient, seen)
    except csv.Error:
        number = reader.line_num
        message = f"{file}, line {number}: a quotation mark is not closed, or stands where none may: export it again"
        raise DataRefused("data.truncated", message, file=file, line=number) from None
    if not seen:
        raise DataRefused("data.empty", f"{file} has a heading and no patients: export it again", file=file)


def _line(line: Line, column: str, seen: set[str]) -> Line:
    cells, wanted = len(line.cells), len(line.columns)
    if cells != wanted:
        message = f"{line.file}, line {line.number}: {cells} cells where the heading has {wanted}: export it again"
        raise DataRefused("data.cells", message, file=line.file, line=line.number)
    patient = line.cell(column)
    if patient in seen:
        raise line.refuse("data.duplicate-patient", column, "repeats a patient: keep one line for each")
    seen.add(patient)
    return line


def _columns(file: str, heading: list[str], wanted: Sequence[str]) -> dict[str, int]:
    names = [name.strip() for name in heading]
    for name in wanted:
        if name not in names:
            message = f"{file}, line 1: column {name} is missing: export it with the columns {', '.join(wanted)}"
            raise DataRefused("data.missing-column", message, file=file, line=1, column=name)
        if names.count(name) > 1:
            message = f"{file}, line 1: column {name} stands twice: keep one"
            raise DataRefused("data.repeated-column", message, file=file, line=1, column=name)
    return {name: place for place, name in enumerate(names)}


def scaled(line: Line, column: str, limits: tuple[float, float, float, float]) -> float:
    """The cell, which must lie between the first two `limits`, cut off at the last two and scaled to -1..1."""
    lowest, highest, low, high = limits
    value = min(max(line.decimal(column, lowest, highest), low), high)
    return (value - low) / (high - low) * 2 - 1
