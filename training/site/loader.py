"""From a hospital's raw CSV to the arrays that train: everything checked, or nothing loaded.

Each error names the file, the line and the column and says what to do. It never repeats a cell or a patient's id:
errors end in logs.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.site import heart

LARGEST = 512 * 2**20  # bytes of one file


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The records of one data set, in the file's order.

    `patients`: (n,) each record's patient, ids as written in the file. `features`: float32 (n, ...), -1..1. `labels`:
    int64 (n,), 0 or 1. `rows`: each record's raw bytes, as digested into the manifest. `raw`: hex SHA-256 of the file.
    """

    patients: tuple[str, ...]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    rows: tuple[bytes, ...]
    raw: str
    transformation: str = heart.TRANSFORMATION

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def owners(self) -> NDArray[np.intp]:
        """The place of each record's patient among the patients, as the trainer takes it."""
        places = {patient: place for place, patient in enumerate(dict.fromkeys(self.patients))}
        return np.array([places[patient] for patient in self.patients], dtype=np.intp)

    @property
    def most(self) -> int:
        """How many records the patient with most of them has."""
        return max(Counter(self.patients).values(), default=0)

    @property
    def people(self) -> tuple[str, ...]:
        """Each patient once, in the file's order."""
        return tuple(dict.fromkeys(self.patients))

    def of(self, patients: Iterable[str]) -> Records:
        """The records of exactly these patients, in the file's order.

        Raises DataRefused `data.unknown-patient` if one of them has no record here.
        """
        wanted = set(patients)
        places = [place for place, patient in enumerate(self.patients) if patient in wanted]
        if missing := len(wanted.difference(self.patients)):
            raise DataRefused(
                "data.unknown-patient",
                "a patient of the cohort has no record in this data set: register the data set's new version first",
                missing=missing,
            )
        return Records(
            tuple(self.patients[place] for place in places),
            self.features[places],
            self.labels[places],
            tuple(self.rows[place] for place in places),
            self.raw,
            self.transformation,
        )


def load(path: Path) -> Records:
    """Read and transform a hospital's raw CSV (UTF-8, UCI's columns, one line a patient, a line feed at the end).

    Raises DataRefused `data.missing-file`, `data.encoding`, `data.empty`, `data.truncated`, `data.missing-column`,
    `data.repeated-column`, `data.cells`, `data.empty-cell`, `data.not-a-number`, `data.out-of-range`,
    `data.unknown-value`, `data.duplicate-patient`, `data.too-large`.
    """
    data = read_file(path)
    lines = list(_lines(path, data))
    features = np.array([_features(line) for line in lines], dtype=np.float32)
    labels = np.array([_label(line) for line in lines], dtype=np.int64)
    return Records(
        tuple(line.cell(heart.PATIENT) for line in lines),
        features,
        labels,
        tuple("\x1f".join(line.cells).encode() for line in lines),
        sha256(data).hexdigest(),
    )


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
        try:
            value = float(self.cell(column))
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


def read_file(path: Path) -> bytes:
    """The bytes of a hospital's file. Raises DataRefused `data.missing-file`, `data.too-large`."""
    try:
        if path.stat().st_size > LARGEST:
            message = f"{path.name} is larger than 512 MiB: split the data set"
            raise DataRefused("data.too-large", message, file=path.name)
        return path.read_bytes()
    except OSError:
        message = f"{path.name} cannot be read: check that it is there and may be read"
        raise DataRefused("data.missing-file", message, file=path.name) from None


def _lines(path: Path, data: bytes) -> Iterator[Line]:
    file = path.name
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
        columns = _columns(file, next(reader))
        seen: set[str] = set()
        for cells in reader:
            yield _line(file, reader.line_num, columns, cells, seen)
    except csv.Error:
        number = reader.line_num
        message = f"{file}, line {number}: a quotation mark is not closed, or stands where none may: export it again"
        raise DataRefused("data.truncated", message, file=file, line=number) from None
    if not seen:
        raise DataRefused("data.empty", f"{file} has a heading and no patients: export it again", file=file)


def _line(file: str, number: int, columns: dict[str, int], cells: list[str], seen: set[str]) -> Line:
    if len(cells) != len(columns):
        message = f"{file}, line {number}: {len(cells)} cells where the heading has {len(columns)}: export it again"
        raise DataRefused("data.cells", message, file=file, line=number)
    line = Line(file, number, columns, cells)
    patient = line.cell(heart.PATIENT)
    if patient in seen:
        raise line.refuse("data.duplicate-patient", heart.PATIENT, "repeats a patient: keep one line for each")
    seen.add(patient)
    return line


def _columns(file: str, heading: list[str]) -> dict[str, int]:
    names = [name.strip() for name in heading]
    for name in heart.COLUMNS:
        if name not in names:
            message = f"{file}, line 1: column {name} is missing: export it with the columns {', '.join(heart.COLUMNS)}"
            raise DataRefused("data.missing-column", message, file=file, line=1, column=name)
        if names.count(name) > 1:
            message = f"{file}, line 1: column {name} stands twice: keep one"
            raise DataRefused("data.repeated-column", message, file=file, line=1, column=name)
    return {name: place for place, name in enumerate(names)}


def _features(line: Line) -> list[float]:
    values = []
    for column, (lowest, highest, low, high) in heart.MEASURES.items():
        value = min(max(line.decimal(column, lowest, highest), low), high)
        values.append((value - low) / (high - low) * 2 - 1)
    values += [2.0 * line.choice(column, pair) - 1 for column, pair in heart.CHOICES.items()]
    for column, choices in heart.CATEGORIES.items():
        chosen = line.choice(column, choices)
        values += [float(chosen == place) for place in range(1, len(choices))]
    return values


def _label(line: Line) -> int:
    value = line.decimal(heart.LABEL, *heart.LABELS)
    if value != int(value):
        raise line.refuse("data.out-of-range", heart.LABEL, "must be a whole number from 0 to 4")
    return int(value > 0)
