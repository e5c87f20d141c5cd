"""Coronary disease from OMOP tables: which concepts, which dates and which rules make a patient's line, fixed here.

A file named `*.omop.csv` has one line a patient, as `covenant omop extract` writes it (training.site.cdm). Each patient
is looked at over the first observation period: the first 365 days give the features, their last day is the index date,
and the 730 days after it tell whether coronary disease was recorded. Concepts are taken as they are listed, without
their descendants: a vocabulary changes, this list does not. Nothing is fitted to the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from training.models.coronary import FEATURES as NAME
from training.site.lines import Line, lines, scaled
from training.site.loader import Records, read_file
from training.site.specification import schema, transformation

PATIENT, LABEL = "person_id", "coronary_disease"
LOOKBACK, HORIZON = 365, 730  # days from the period's start to the index date, and from there on
MG_DL, MMOL_L = 8840, 8753  # concepts of units


@dataclass(frozen=True, slots=True)
class Measure:
    """`concepts`: of a measurement. `units`: concept of a unit -> what its numbers are multiplied by.

    `limits`: the lowest and highest value a person can have, and the clinical range scaled to -1..1.
    """

    concepts: tuple[int, ...]
    units: Mapping[int, float]
    limits: tuple[float, float, float, float]


AGE = (0.0, 120.0, 30.0, 80.0)  # years, the index date's year less the year of birth
MEASURES = {
    "systolic_pressure": Measure((3004249,), {8876: 1}, (20, 300, 90, 200)),  # mmHg
    "cholesterol": Measure((3027114,), {MG_DL: 1, MMOL_L: 38.67}, (20, 1000, 100, 400)),  # mg/dl, in serum or plasma
    "fasting_glucose": Measure((3037110,), {MG_DL: 1, MMOL_L: 18.016}, (10, 1000, 60, 200)),  # mg/dl, serum or plasma
    "heart_rate": Measure((3027018,), {8541: 1, 8483: 1}, (20, 300, 50, 180)),  # 1/min
}
CONDITIONS: Mapping[str, tuple[int, ...]] = {  # recorded on or before the index date, however long ago
    "angina": (321318,),  # angina pectoris
    "chest_pain": (77670,),
    "hypertension": (316866, 320128),  # hypertensive disorder, essential hypertension
    "diabetes": (201820, 201826),  # diabetes mellitus, of type 2
}
OUTCOME = (317576, 4329847, 312327, 4185932)  # coronary arteriosclerosis, (acute) infarction, ischaemic heart disease
SEXES = {8532: "F", 8507: "M"}  # which become -1 and 1
EQUAL = (4172703, 0)  # operators that leave a number as it is: "=", or none said (0, or null); "<" and ">" do not

SPECIFICATION = {
    "name": NAME,
    "tables": "OMOP CDM 5.4: person, observation_period, condition_occurrence, measurement",
    "period": "the one that starts first; of several, the longest",
    "observed": "to the period's end, or to the day of the extraction where that comes first",
    "index": {"days_after_start": LOOKBACK},
    "age": {"from": "year of the index date less year_of_birth", "limits": [str(number) for number in AGE]},
    "sex": {str(concept): letter for concept, letter in SEXES.items()},
    "measures": {
        name: {
            "concepts": list(one.concepts),
            "units": {str(unit): str(factor) for unit, factor in one.units.items()},
            "limits": [str(number) for number in one.limits],
            "taken": "the mean of the last day with one from the period's start to the index date",
            "operators": list(EQUAL),
        }
        for name, one in MEASURES.items()
    },
    "conditions": {name: list(concepts) for name, concepts in CONDITIONS.items()},
    "order": ["age", *MEASURES, "sex", *CONDITIONS],
    "label": {
        "concepts": list(OUTCOME),
        "within_days": HORIZON,
        "left_out": "who had one by the index date; who had none and is not observed to the end",
    },
    "patient": PATIENT,
}
TRANSFORMATION = transformation(NAME, SPECIFICATION)
COLUMNS = (PATIENT, "age", *MEASURES, "sex", *CONDITIONS, LABEL)
SCHEMA = schema(COLUMNS)


def load(path: Path) -> Records:
    """Read and transform such a file, every line checked. Raises DataRefused as `loader.load`."""
    data = read_file(path)
    found = list(lines(path.name, data, COLUMNS, PATIENT))
    return Records(
        tuple(line.cell(PATIENT) for line in found),
        np.array([_features(line) for line in found], dtype=np.float32),
        np.array([line.choice(LABEL, ("0", "1")) for line in found], dtype=np.int64),
        tuple("\x1f".join(line.cells).encode() for line in found),
        sha256(data).hexdigest(),
        TRANSFORMATION,
    )


def _features(line: Line) -> list[float]:
    values = [scaled(line, "age", AGE)]
    values += [scaled(line, name, one.limits) for name, one in MEASURES.items()]
    values += [2.0 * line.choice("sex", tuple(SEXES.values())) - 1]
    return values + [2.0 * line.choice(name, ("0", "1")) - 1 for name in CONDITIONS]
