"""OMOP tables become one line a patient by fixed rules, the same from SQLite and from PostgreSQL."""

from __future__ import annotations

import csv
import json
import os
from datetime import date, timedelta

import numpy as np
import psycopg
import pytest
import sqlalchemy as sql
from typer.testing import CliRunner

from tests.support import postgres
from training.errors import DataRefused
from training.site import cdm, heart, omop, omop_cli
from training.site.cdm_example import END, INDEX, START, TAKEN, fill

PRESSURE, CHOLESTEROL, GLUCOSE, RATE = (one.concepts[0] for one in omop.MEASURES.values())
MMOL_L = 8753
EQUAL, UNEQUAL = 4172703, (4172704, 4171756, 4171754, 4171755)  # =; >, <, <=, >=


@pytest.fixture
def url(cleveland, tmp_path):
    """Of a database with three patients, that a test may change."""
    (tmp_path / "cdm.sqlite").touch()
    url = f"sqlite:///{tmp_path}/cdm.sqlite"
    change(url, lambda connection: fill(connection, cleveland[:3]))
    return url


@pytest.fixture(scope="module")
def server():
    with postgres.running() as url:
        if url is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("PostgreSQL is not installed")
        yield url


@pytest.fixture(scope="module")
def cleveland(tmp_path_factory):
    with heart.write_hospital_csvs(tmp_path_factory.mktemp("heart"))["cleveland"].open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """The URL of a database without tables."""
    if request.param == "sqlite":
        (tmp_path / "cdm.sqlite").touch()
        return f"sqlite:///{tmp_path}/cdm.sqlite"
    url = request.getfixturevalue("server")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS cdm")
        connection.execute("CREATE DATABASE cdm")
    return url.replace("/postgres?", "/cdm?")


@pytest.fixture
def source(empty, cleveland):
    """The URL of a database with the CDM tables of three made-up patients, who are all used as they are."""
    change(empty, lambda connection: fill(connection, cleveland[:3]))
    return empty


def change(url, act):
    engine = sql.create_engine(cdm.address(url))
    with engine.begin() as connection:
        act(connection)
    engine.dispose()


def execute(url, *statements):
    change(url, lambda connection: [connection.exec_driver_sql(one) for one in statements])


def extracted(url, folder, **named):
    """The lines by patient, and the report."""
    target = folder / "out.omop.csv"
    report = cdm.extract(url, target, **named)
    with target.open(encoding="utf-8", newline="") as file:
        return {row["person_id"]: row for row in csv.DictReader(file)}, report


def test_both_databases_give_the_same_file_and_it_loads(cleveland, server, tmp_path):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS whole")
        connection.execute("CREATE DATABASE whole")
    (tmp_path / "cdm.sqlite").touch()
    written = []
    for number, url in enumerate((f"sqlite:///{tmp_path}/cdm.sqlite", server.replace("/postgres?", "/whole?"))):
        change(url, lambda connection: fill(connection, cleveland))
        target = tmp_path / f"{number}.omop.csv"
        assert cdm.extract(url, target).used == 304
        written.append(target.read_bytes())
    assert written[0] == written[1]
    records = omop.load(tmp_path / "0.omop.csv")
    assert records.features.shape == (304, 10) and np.abs(records.features).max() <= 1
    assert records.patients[:2] == ("1", "2") and records.transformation == omop.TRANSFORMATION
    assert records.labels.tolist() == [int(float(one["num"]) > 0) for one in cleveland]


def test_a_line_becomes_features_and_a_label(source, tmp_path):
    lines, report = extracted(source, tmp_path)
    assert list(lines["1"].values()) == ["1", "63", "145", "233", "130", "150", "M", "0", "1", "1", "1", "0"]
    assert (report.used, report.failed) == (3, {})
    records = omop.load(tmp_path / "out.omop.csv")
    expected = [33 / 25 - 1, 0, 133 / 150 - 1, 0, 100 / 65 - 1, 1, -1, 1, 1, 1]
    assert records.features[0] == pytest.approx(expected, abs=1e-6)
    assert records.labels.tolist() == [0, 1, 1]


def test_a_schema_holds_the_tables(server, cleveland, tmp_path):
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS omop CASCADE")
        connection.execute("CREATE SCHEMA omop")

    def inside(connection):
        fill(connection.execution_options(schema_translate_map={None: "omop"}), cleveland[:3])

    change(server, inside)
    assert set(extracted(server, tmp_path, schema="omop")[0]) == {"1", "2", "3"}
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(server, tmp_path / "none.omop.csv")
    assert refusal.value.code == "omop.table-missing"


def test_the_last_day_counts_and_its_values_are_averaged(source, tmp_path):
    execute(
        source,
        measurement(901, PRESSURE, TAKEN - timedelta(days=1), "999", 8876),  # an earlier day: not looked at
        measurement(902, PRESSURE, INDEX, "120", 8876, operator=EQUAL),
        measurement(903, PRESSURE, INDEX, "130", 8876, operator=0),  # as many tables say that there is none
        measurement(904, PRESSURE, INDEX + timedelta(days=1), "NULL", 0),  # after the index date: not looked at
        measurement(905, CHOLESTEROL, INDEX, "6", MMOL_L),
    )
    line = extracted(source, tmp_path)[0]["1"]
    assert (line["systolic_pressure"], line["cholesterol"]) == ("125", "232.02")


def measurement(key, concept, when, number, unit, *, person=1, operator="NULL"):
    return (
        "INSERT INTO measurement (measurement_id, person_id, measurement_concept_id, measurement_date, "
        "value_as_number, unit_concept_id, operator_concept_id) "
        f"VALUES ({key}, {person}, {concept}, '{when}', {number}, {unit}, {operator})"
    )


def condition(key, concept, when, person=1):
    return (
        "INSERT INTO condition_occurrence (condition_occurrence_id, person_id, condition_concept_id, "
        f"condition_start_date) VALUES ({key}, {person}, {concept}, '{when}')"
    )


ENDS = "UPDATE observation_period SET observation_period_end_date = '{}' WHERE person_id = 1"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("DELETE FROM observation_period WHERE person_id = 1", "omop.no-observation"),
        (ENDS.format(INDEX - timedelta(days=1)), "omop.too-short"),
        (ENDS.format(INDEX + timedelta(days=omop.HORIZON - 1)), "omop.lost-early"),
        (condition(900, omop.OUTCOME[1], INDEX), "omop.outcome-before"),
        (condition(900, omop.OUTCOME[2], START - timedelta(days=900)), "omop.outcome-before"),
        (
            "UPDATE observation_period SET observation_period_end_date = '2999-12-31', observation_period_start_date = "
            f"'{date.today() - timedelta(days=omop.LOOKBACK + omop.HORIZON - 1)}' WHERE person_id = 1",
            "omop.lost-early",
        ),
        (
            "UPDATE observation_period SET observation_period_start_date = '9999-06-01', observation_period_end_date = "
            "'9999-12-31' WHERE person_id = 1",
            "omop.too-short",
        ),
        ("UPDATE person SET year_of_birth = NULL WHERE person_id = 1", "omop.born"),
        ("UPDATE person SET year_of_birth = 1850 WHERE person_id = 1", "omop.out-of-range"),
        ("UPDATE person SET gender_concept_id = 0 WHERE person_id = 1", "omop.sex"),
        (f"DELETE FROM measurement WHERE person_id = 1 AND measurement_concept_id = {RATE}", "omop.not-measured"),
        (measurement(900, GLUCOSE, TAKEN, "NULL", 8840), "omop.not-a-number"),
        (measurement(900, GLUCOSE, TAKEN, "200", MMOL_L), "omop.out-of-range"),
        (measurement(900, GLUCOSE, TAKEN, "100", 0), "omop.unit"),
        (measurement(900, GLUCOSE, TAKEN, "100", "NULL"), "omop.unit"),
        (measurement(900, RATE, INDEX, "1e9", 8541), "omop.out-of-range"),
        *((measurement(900, GLUCOSE, TAKEN, "100", 8840, operator=one), "omop.operator") for one in UNEQUAL),
    ],
)
def test_who_cannot_be_used_is_left_out_and_named_with_the_reason(source, tmp_path, statement, code):
    execute(source, statement)
    lines, report = extracted(source, tmp_path)
    assert set(lines) == {"2", "3"} and report.failed == {"1": code}


def test_an_event_within_two_years_counts_even_where_the_observation_ends_after_it(source, tmp_path):
    last = INDEX + timedelta(days=omop.HORIZON)
    execute(source, condition(900, omop.OUTCOME[3], last))
    assert extracted(source, tmp_path)[0]["1"]["coronary_disease"] == "1"
    execute(source, ENDS.format(last - timedelta(days=1)))  # the event lies outside what is observed
    assert extracted(source, tmp_path)[1].failed == {"1": "omop.lost-early"}


def test_an_event_after_two_years_and_a_condition_after_the_index_date_do_not_count(source, tmp_path):
    later = INDEX + timedelta(days=omop.HORIZON + 1)
    execute(source, condition(900, omop.OUTCOME[0], later), condition(901, 321318, INDEX + timedelta(days=1)))
    line = extracted(source, tmp_path)[0]["1"]
    assert (line["coronary_disease"], line["angina"]) == ("0", "0")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_several_records_of_a_condition_the_first_counts(source, tmp_path, order):
    days = (INDEX, INDEX + timedelta(days=1))
    execute(source, *(condition(900 + key, 321318, days[place]) for key, place in enumerate(order)))
    assert extracted(source, tmp_path)[0]["1"]["angina"] == "1"


def test_of_several_periods_the_first_counts_and_of_equal_ones_the_longest(source, tmp_path):
    period = (
        "INSERT INTO observation_period (observation_period_id, person_id, observation_period_start_date, "
        "observation_period_end_date) VALUES ({}, 1, '{}', '{}')"
    )
    execute(source, period.format(900, START, START), period.format(901, START + timedelta(days=400), END))
    assert "1" in extracted(source, tmp_path)[0]
    execute(source, period.format(902, START - timedelta(days=900), START - timedelta(days=800)))
    assert extracted(source, tmp_path)[1].failed == {"1": "omop.too-short"}


def test_rows_of_nobody_are_counted_as_such(source, tmp_path):
    execute(
        source,
        "DELETE FROM person WHERE person_id = 3",
        measurement(900, GLUCOSE, TAKEN, "100", 8840, person=77),
        measurement(901, 1234567, TAKEN, "100", 8840, person=78),  # of a concept that nobody looks at
    )
    lines, report = extracted(source, tmp_path)
    assert set(lines) == {"1", "2"} and report.failed == {"3": "omop.no-person", "77": "omop.no-person"}


@pytest.mark.parametrize("table", [table.name for table in cdm.TABLES.sorted_tables])
def test_a_missing_table_is_named(source, tmp_path, table):
    execute(source, f"DROP TABLE {table}")
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(source, tmp_path / "out.omop.csv")
    assert refusal.value.code == "omop.table-missing" and table in refusal.value.message


@pytest.mark.parametrize(
    ("table", "column"), [(table.name, list(table.columns)[-1].name) for table in cdm.TABLES.sorted_tables]
)
def test_a_missing_column_is_named(source, tmp_path, table, column):
    execute(source, f"ALTER TABLE {table} DROP COLUMN {column}")
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(source, tmp_path / "out.omop.csv")
    assert refusal.value.code == "omop.column-missing"
    assert table in refusal.value.message and column in refusal.value.message


@pytest.mark.parametrize("value", ["'yesterday'", "1421280000.0", "NULL"])
def test_a_date_that_is_none_stops_the_extraction_and_names_the_table(url, tmp_path, value):
    execute(url, f"UPDATE measurement SET measurement_date = {value} WHERE measurement_id = 2")
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(url, tmp_path / "out.omop.csv")
    assert refusal.value.code == "omop.unreadable" and "measurement" in refusal.value.message


def test_words_in_the_place_of_a_number_leave_the_patient_out(url, tmp_path):
    execute(url, measurement(900, GLUCOSE, TAKEN, "'high'", 8840))
    assert extracted(url, tmp_path)[1].failed == {"1": "omop.not-a-number"}


ALONE = "UPDATE person SET {} WHERE person_id = 1"
TWICE = "CREATE TABLE person AS SELECT * FROM kept UNION ALL SELECT person_id, 8532, 1900 FROM kept WHERE person_id = 1"
NOBODY = "CREATE TABLE person AS SELECT * FROM kept UNION ALL SELECT {}, 8507, 1950"


@pytest.mark.parametrize(
    ("statements", "code"),
    [
        ([ALONE.format("year_of_birth = 'about 1950'")], "omop.born"),
        ([ALONE.format("year_of_birth = 1950.5")], "omop.born"),
        ([ALONE.format("gender_concept_id = 'M'")], "omop.sex"),
        (["ALTER TABLE person RENAME TO kept", TWICE], "omop.repeated"),
    ],
)
def test_a_person_whom_sqlite_lets_be_anything_is_left_out(url, tmp_path, statements, code):
    execute(url, *statements)
    assert extracted(url, tmp_path)[1].failed == {"1": code}


@pytest.mark.parametrize("person", ["NULL", "'P7'"])
def test_a_person_without_a_number_stops_the_extraction(url, tmp_path, person):
    execute(url, "ALTER TABLE person RENAME TO kept", NOBODY.format(person))
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(url, tmp_path / "out.omop.csv")
    assert refusal.value.code == "omop.unreadable" and "person" in refusal.value.message


def test_names_in_capitals_are_the_same_to_sqlite(url, tmp_path):
    execute(url, "ALTER TABLE person RENAME COLUMN year_of_birth TO YEAR_OF_BIRTH")
    assert extracted(url, tmp_path)[1].used == 3


def test_nobody_is_observed_beyond_the_day_of_the_reading_whatever_a_period_says(source, tmp_path):
    execute(source, ENDS.format("2999-12-31"))
    last = INDEX + timedelta(days=omop.HORIZON)
    assert "1" in extracted(source, tmp_path, today=last)[0]
    assert extracted(source, tmp_path, today=last - timedelta(days=1))[1].failed["1"] == "omop.lost-early"


def test_nobody_left_is_refused_with_the_reasons_and_nothing_is_written(source, tmp_path):
    execute(source, "DELETE FROM observation_period")
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(source, tmp_path / "out.omop.csv")
    assert refusal.value.code == "data.empty" and "omop.no-observation (3)" in refusal.value.message
    assert not (tmp_path / "out.omop.csv").exists()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", "omop.source"),
        ("cdm.sqlite", "omop.source"),
        ("oracle://h/cdm", "omop.source"),
        ("sqlite://", "omop.unreachable"),
        ("sqlite:////nowhere/cdm.sqlite", "omop.unreachable"),
        ("postgresql://u:S3CRET@/none?host=/nowhere", "omop.unreachable"),
    ],
)
def test_a_database_that_is_not_there_is_refused_without_its_password(tmp_path, source, code):
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(source, tmp_path / "out.omop.csv")
    assert refusal.value.code == code and "S3CRET" not in str(refusal.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "cdm.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(DataRefused) as refusal:
        cdm.extract(f"sqlite:///{tmp_path}/cdm.sqlite", tmp_path / "out.omop.csv")
    assert refusal.value.code == "omop.unreachable"


def test_reading_changes_nothing(source):
    with pytest.raises(DataRefused) as refusal, cdm.connected(source) as connection:
        connection.exec_driver_sql("DELETE FROM person")
    assert refusal.value.code == "omop.unreachable"


def test_the_command_writes_the_file_and_the_report_beside_it(url, tmp_path, monkeypatch):
    execute(url, "UPDATE person SET gender_concept_id = 0 WHERE person_id = 2")
    monkeypatch.setenv("COVENANT_OMOP_SOURCE", url)
    shown = CliRunner().invoke(omop_cli.app, ["extract", str(tmp_path / "h.omop.csv")])
    assert shown.exit_code == 0 and "2 patients used, 1 left out" in shown.output
    report = tmp_path / "h.omop.report.json"
    assert json.loads(report.read_bytes())["failed"] == {"2": "omop.sex"} and report.stat().st_mode & 0o77 == 0
    again = CliRunner().invoke(omop_cli.app, ["extract", str(tmp_path / "h.omop.csv")])
    assert isinstance(again.exception, DataRefused) and again.exception.code == "data.target"
    nowhere = CliRunner().invoke(omop_cli.app, ["extract", str(tmp_path / "h.omop.csv" / "below.omop.csv")])
    assert isinstance(nowhere.exception, DataRefused) and nowhere.exception.code == "data.target"


def test_the_example_is_the_same_every_time_and_one_hospital_took_no_cholesterol(tmp_path):
    shown = CliRunner().invoke(omop_cli.app, ["example", str(tmp_path / "databases")])
    paths = [tmp_path / "databases" / f"{name}.omop.sqlite" for name in heart.HOSPITALS]
    assert shown.exit_code == 0 and shown.output.split() == [str(path) for path in paths]
    again = CliRunner().invoke(omop_cli.app, ["example", str(tmp_path / "databases")])
    assert isinstance(again.exception, DataRefused) and again.exception.code == "data.target"
    used = {}
    for path in paths:
        try:
            used[path.name.split(".")[0]] = cdm.extract(f"sqlite:///{path}", tmp_path / "out.omop.csv").used
        except DataRefused as refusal:
            assert refusal.context["reasons"] == {"omop.not-measured": 46}
    assert used == {"cleveland": 304, "hungary": 260, "va-long-beach": 97}
