"""Made-up OMOP tables from the public heart disease data (training.site.heart), for trials and tests.

Age, sex, resting pressure, cholesterol and heart rate are those of the 740 patients. All else follows from their other
columns by rules that are made up: exercise angina becomes angina pectoris, any chest pain a record of it, fasting sugar
above 120 mg/dl 130 and diabetes, else 100, a pressure of 140 hypertension, narrowed vessels coronary arteriosclerosis
100 days after the index date. Only the columns that are read are made. A pressure or cholesterol of 0 is one not taken.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import Connection

from training.errors import DataRefused
from training.site import cdm, heart, omop

START = date(2018, 1, 15)
TAKEN = START + timedelta(days=300)
INDEX = START + timedelta(days=omop.LOOKBACK)
END = date(2023, 12, 31)
Row = dict[str, Any]


def write_databases(folder: Path) -> list[Path]:
    """One SQLite file a hospital in `folder` (made if missing).

    Raises DataRefused `data.target` where one is there already, and as `heart.write_hospital_csvs`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as raw:
        written = []
        for name, path in heart.write_hospital_csvs(Path(raw)).items():
            with path.open(encoding="utf-8", newline="") as file:
                patients = list(csv.DictReader(file))
            target = folder / f"{name}.omop.sqlite"
            if target.exists():
                raise DataRefused("data.target", f"{target} is there already: name another folder")
            engine = sql.create_engine(f"sqlite:///{target}")
            with engine.begin() as connection:
                fill(connection, patients)
            engine.dispose()
            written.append(target)
    return written


def fill(connection: Connection, patients: Iterable[Mapping[str, str]]) -> None:
    """Make the tables in `connection`, and put `patients` (lines of a hospital's CSV) into them."""
    cdm.TABLES.create_all(connection)
    people, periods, conditions, measurements = list[Row](), list[Row](), list[Row](), list[Row]()
    for patient in patients:
        person = {"person_id": int(patient[heart.PATIENT])}
        sex = 8507 if patient["sex"] == "Male" else 8532
        people.append({**person, "gender_concept_id": sex, "year_of_birth": INDEX.year - int(patient["age"])})
        periods.append({**person, "observation_period_start_date": START, "observation_period_end_date": END})
        conditions += [{**person, **one} for one in _conditions(patient)]
        measurements += [{**person, **one} for one in _measurements(patient)]
    for table, rows in zip(
        (cdm.PERSON, cdm.PERIOD, cdm.CONDITION, cdm.MEASUREMENT),
        (people, periods, conditions, measurements),
        strict=True,
    ):
        key = next(iter(table.primary_key)).name
        connection.execute(sql.insert(table), [{key: number, **row} for number, row in enumerate(rows, 1)])


def _conditions(patient: Mapping[str, str]) -> list[Row]:
    had = {
        "angina": patient["exang"] == "TRUE",
        "chest_pain": patient["cp"] != "asymptomatic",
        "hypertension": float(patient["trestbps"]) >= 140,
        "diabetes": patient["fbs"] == "TRUE",
    }
    rows = [_condition(omop.CONDITIONS[name][0], TAKEN) for name, so in had.items() if so]
    return rows + ([_condition(omop.OUTCOME[0], INDEX + timedelta(days=100))] if float(patient["num"]) else [])


def _condition(concept: int, when: date) -> Row:
    return {"condition_concept_id": concept, "condition_start_date": when}


def _measurements(patient: Mapping[str, str]) -> list[Row]:
    taken = {
        "systolic_pressure": float(patient["trestbps"]),
        "cholesterol": float(patient["chol"]),
        "fasting_glucose": 130.0 if patient["fbs"] == "TRUE" else 100.0,
        "heart_rate": float(patient["thalch"]),
    }
    return [
        {
            "measurement_concept_id": omop.MEASURES[name].concepts[0],
            "measurement_date": TAKEN,
            "value_as_number": value,
            "unit_concept_id": next(iter(omop.MEASURES[name].units)),
        }
        for name, value in taken.items()
        if value
    ]
