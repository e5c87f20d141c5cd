"""From a hospital's raw CSV to the arrays that train: everything checked, or nothing loaded.

Each error names the file, the line and the column and says what to do. It never repeats a cell or a patient's id:
errors end in logs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.privacy.mechanism import PATIENT
from training.site import heart
from training.site.lines import Line, lines, scaled

LARGEST = 512 * 2**20  # bytes of one file


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The records of one data set, in the file's order.

    `patients`: (n,) each record's patient, ids as written in the file. `features`: float32 (n, ...), -1..1. `labels`:
    whole numbers (n, ...), from 0. `rows`: each record's raw bytes, as digested into the manifest. `raw`: hex SHA-256
    of the file. `strata`: int64 (n,), in whose proportion patients are held out; the labels where it is None. `unit`:
    one of training.privacy.mechanism.UNITS; where it is the image, the source names no patients, and each id is an
    image's own.
    """

    patients: tuple[str, ...]
    features: NDArray[np.float32]
    labels: NDArray[np.integer]
    rows: tuple[bytes, ...]
    raw: str
    transformation: str = heart.TRANSFORMATION
    strata: NDArray[np.int64] | None = None
    unit: str = PATIENT

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
            None if self.strata is None else self.strata[places],
            self.unit,
        )


def load(path: Path) -> Records:
    """Read and transform a hospital's raw CSV (UTF-8, UCI's columns, one line a patient, a line feed at the end).

    Raises DataRefused `data.missing-file`, `data.encoding`, `data.empty`, `data.truncated`, `data.missing-column`,
    `data.repeated-column`, `data.cells`, `data.empty-cell`, `data.not-a-number`, `data.out-of-range`,
    `data.unknown-value`, `data.duplicate-patient`, `data.too-large`.
    """
    data = read_file(path)
    found = list(lines(path.name, data, heart.COLUMNS, heart.PATIENT))
    features = np.array([_features(line) for line in found], dtype=np.float32)
    labels = np.array([_label(line) for line in found], dtype=np.int64)
    return Records(
        tuple(line.cell(heart.PATIENT) for line in found),
        features,
        labels,
        tuple("\x1f".join(line.cells).encode() for line in found),
        sha256(data).hexdigest(),
    )


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


def _features(line: Line) -> list[float]:
    values = [scaled(line, column, limits) for column, limits in heart.MEASURES.items()]
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
