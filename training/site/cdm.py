"""A hospital's OMOP tables (CDM 5.4), read through SQLAlchemy into the file that trains (training.site.omop).

Read once, in one transaction that changes nothing: a round reads the file, whose digest the catalogue holds, not tables
that go on changing. Who cannot be used is left out and named in the report with the reason; the report stays at the
hospital. SQLite and PostgreSQL are what this was tried on, and all that is accepted.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from training.errors import DataRefused
from training.site import omop
from training.site.attempts import write
from training.site.report import Report, nothing_used

PROFILE = "covenant-omop-1: one line a patient; no date, no free text, no source value, no other concept"
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
CONNECT_SECONDS = 10
PERSON_ID = "person_id"
CHUNK = 10_000  # rows of a result held at a time

TABLES = sql.MetaData()
PERSON = sql.Table(
    "person",
    TABLES,
    sql.Column("person_id", sql.BigInteger, primary_key=True),
    sql.Column("gender_concept_id", sql.Integer),
    sql.Column("year_of_birth", sql.Integer),
)
PERIOD = sql.Table(
    "observation_period",
    TABLES,
    sql.Column("observation_period_id", sql.BigInteger, primary_key=True),
    sql.Column("person_id", sql.BigInteger),
    sql.Column("observation_period_start_date", sql.Date),
    sql.Column("observation_period_end_date", sql.Date),
)
CONDITION = sql.Table(
    "condition_occurrence",
    TABLES,
    sql.Column("condition_occurrence_id", sql.BigInteger, primary_key=True),
    sql.Column("person_id", sql.BigInteger),
    sql.Column("condition_concept_id", sql.Integer),
    sql.Column("condition_start_date", sql.Date),
)
MEASUREMENT = sql.Table(
    "measurement",
    TABLES,
    sql.Column("measurement_id", sql.BigInteger, primary_key=True),
    sql.Column("person_id", sql.BigInteger),
    sql.Column("measurement_concept_id", sql.Integer),
    sql.Column("measurement_date", sql.Date),
    sql.Column("value_as_number", sql.Numeric(asdecimal=False)),
    sql.Column("unit_concept_id", sql.Integer),
    sql.Column("operator_concept_id", sql.Integer),
)
MEASURED = {concept: name for name, one in omop.MEASURES.items() for concept in one.concepts}


Row = tuple[object, int | None, int | None]


@dataclass(slots=True)
class Patient:
    """What the tables say of one person. `events`: condition -> its first date. `taken`: measure -> its last day in the
    period's first year, and (number, concepts of unit and operator) of each row on that day.
    """

    sex: int | None
    born: int | None
    start: date | None = None
    end: date | None = None
    events: dict[str, date] = field(default_factory=dict)
    taken: dict[str, tuple[date, list[Row]]] = field(default_factory=dict)
    repeated: bool = False

    @property
    def index(self) -> date:
        assert self.start is not None
        return after(self.start, omop.LOOKBACK)


def extract(source: str, target: Path, schema: str | None = None, today: date | None = None) -> Report:
    """Write `target` (`*.omop.csv`) from the tables of the database at the URL `source`, perhaps in one of its schemas.

    `today`: beyond which nobody was observed yet, whatever a period's end says; the day of the call where it is None.

    Raises DataRefused `omop.source`, `omop.unreachable`, `omop.table-missing`, `omop.column-missing`,
    `omop.unreadable`, `data.empty` (nobody can be used: nothing is written).
    """
    with connected(source) as connection:
        require_tables(connection, schema)
        people, strangers = read(connection.execution_options(schema_translate_map={None: schema}))
    failed = {str(person): "omop.no-person" for person in strangers}
    rows, now = [], today or date.today()
    for person, patient in sorted(people.items()):
        try:
            rows.append((str(person), *line(patient, now)))
        except DataRefused as refused:
            failed[str(person)] = refused.code
    if not rows:
        raise nothing_used("nobody in these tables", failed, "the table person is empty")
    write(target, table_of(rows))
    return Report(PROFILE, len(rows), failed, {})


@contextmanager
def connected(source: str) -> Iterator[Connection]:
    """A connection in one transaction, which sees one state of the tables. No error repeats the URL: it may hold a
    password.
    """
    engine = sql.create_engine(address(source), connect_args=_arguments(source))
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only=ON")
                connection.exec_driver_sql("BEGIN")
            else:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
    except SQLAlchemyError:
        message = "the database cannot be reached or read: check its address, name, password and permissions"
        raise DataRefused("omop.unreachable", message) from None
    finally:
        engine.dispose()


def address(source: str) -> URL:
    """Raises DataRefused `omop.source`, `omop.unreachable` (an SQLite file that is not there, which would be made)."""
    try:
        url = sql.make_url(source)
        driver = DRIVERS[url.drivername]
    except (ArgumentError, NoSuchModuleError, KeyError, ValueError):
        message = "name the database as sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
        raise DataRefused("omop.source", message) from None
    if driver == "sqlite" and not Path(url.database or "").is_file():
        raise DataRefused("omop.unreachable", "the SQLite file is not there: check its path")
    return url.set(drivername=driver)


def _arguments(source: str) -> dict[str, Any]:
    return {} if source.startswith("sqlite") else {"connect_timeout": CONNECT_SECONDS}


def require_tables(connection: Connection, schema: str | None) -> None:
    """Raises DataRefused `omop.table-missing`, `omop.column-missing`, naming the table and the column."""
    known = sql.inspect(connection)
    for table in TABLES.sorted_tables:
        if not known.has_table(table.name, schema):
            message = f"table {table.name} is missing: name the schema that holds the CDM, or load the table"
            raise DataRefused("omop.table-missing", message, table=table.name)
        there = {column["name"] for column in known.get_columns(table.name, schema)}
        if connection.dialect.name == "sqlite":  # to which upper and lower case are one
            there = {name.lower() for name in there}
        if missing := [column.name for column in table.columns if column.name not in there]:
            message = f"table {table.name} has no column {missing[0]}: bring the tables to CDM 5.4"
            raise DataRefused("omop.column-missing", message, table=table.name, column=missing[0])


def read(connection: Connection) -> tuple[dict[int, Patient], set[int]]:
    """Everybody in `person`, with what the other tables say of them; and who is in those alone.

    Raises DataRefused `omop.unreadable`.
    """
    people: dict[int, Patient] = {}
    for person, sex, born in found(connection, PERSON, PERSON.columns):
        people[person] = Patient(sex, born, repeated=person in people)
    strangers = set[int]()
    for table, take, concepts in TAKEN:
        columns = list(table.columns)[1:]
        where = [columns[1].in_(concepts)] if concepts else []
        for person, *cells in found(connection, table, columns, *where):
            if (patient := people.get(person)) is None:
                strangers.add(person)
            else:
                take(patient, *cells)
    return people, strangers


def found(
    connection: Connection, table: sql.Table, columns: Iterable[sql.Column[Any]], *where: sql.ColumnElement[bool]
) -> Iterator[Sequence[Any]]:
    """The rows, some at a time. Raises DataRefused `omop.unreadable` where a date, a number or a person is none."""
    chosen = list(columns)
    dates = [place for place, column in enumerate(chosen) if isinstance(column.type, sql.Date)]
    keys = [place for place, column in enumerate(chosen) if column.name == PERSON_ID]
    try:
        for row in connection.execution_options(yield_per=CHUNK).execute(sql.select(*chosen).where(*where)):
            if not all(type(row[place]) is date for place in dates) or any(type(row[key]) is not int for key in keys):
                raise ValueError
            yield row
    except (ValueError, TypeError):
        message = f"table {table.name} holds a date, a number or a person_id that is none: bring the tables to CDM 5.4"
        raise DataRefused("omop.unreadable", message, table=table.name) from None


def take_period(patient: Patient, start: date, end: date) -> None:
    """The first of a person's periods; of those that start together, the longest."""
    if patient.start is None or patient.end is None or start < patient.start:
        patient.start, patient.end = start, end
    elif start == patient.start:
        patient.end = max(patient.end, end)


def take_condition(patient: Patient, concept: int, when: date) -> None:
    name = NAMED[concept]
    patient.events[name] = min(when, patient.events.get(name, when))


def take_measurement(  # noqa: PLR0917  # a row's columns, in their order
    patient: Patient, concept: int, when: date, number: object, unit: int | None, operator: int | None
) -> None:
    """Rows of the last day in the first year of observation; earlier days give way, later ones are not looked at."""
    if patient.start is None or not patient.start <= when <= patient.index:
        return
    name = MEASURED[concept]
    day, rows = patient.taken.get(name, (when, []))
    if when > day:
        day, rows = when, []
    if when == day:
        patient.taken[name] = (day, [*rows, (number, unit, operator)])


NAMED = {concept: name for name, concepts in omop.CONDITIONS.items() for concept in concepts}
NAMED |= dict.fromkeys(omop.OUTCOME, omop.LABEL)
TAKEN: tuple[tuple[sql.Table, Callable[..., None], Collection[int]], ...] = (
    (PERIOD, take_period, ()),  # before all that lies in it
    (CONDITION, take_condition, NAMED),
    (MEASUREMENT, take_measurement, MEASURED),
)


def after(day: date, days: int) -> date:
    """The day so many `days` later, or the last that a calendar has."""
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal()))


def line(patient: Patient, today: date) -> tuple[str, ...]:
    """The cells of a patient's line after the id, in the order of the file's columns, as far as `today` can know.

    Raises DataRefused `omop.repeated`, `omop.no-observation`, `omop.too-short`, `omop.outcome-before`,
    `omop.lost-early`, `omop.born`, `omop.sex`, `omop.not-measured`, `omop.not-a-number`, `omop.operator`, `omop.unit`,
    `omop.out-of-range`.
    """
    if patient.repeated:
        raise DataRefused("omop.repeated", "the person stands in person more than once")
    label = outcome(patient, today)
    if type(patient.born) is not int:
        raise DataRefused("omop.born", "the person has no year of birth")
    age = within(float(patient.index.year - patient.born), omop.AGE)
    if (sex := omop.SEXES.get(patient.sex or 0)) is None:
        raise DataRefused("omop.sex", "the person's gender concept is neither 8507 nor 8532")
    values = [measure(patient, name, one) for name, one in omop.MEASURES.items()]
    had = [name in patient.events and patient.events[name] <= patient.index for name in omop.CONDITIONS]
    return (*map(spelled, [age, *values]), sex, *(str(int(one)) for one in [*had, label]))


def outcome(patient: Patient, today: date) -> bool:
    if patient.start is None or patient.end is None:
        raise DataRefused("omop.no-observation", "the person has no observation period")
    last, end = after(patient.index, omop.HORIZON), min(patient.end, today)
    if end < patient.index:
        raise DataRefused("omop.too-short", "the observation ends before the index date")
    when = patient.events.get(omop.LABEL)
    if when is not None and when <= patient.index:
        raise DataRefused("omop.outcome-before", "coronary disease was recorded by the index date")
    if when is not None and when <= min(last, end):
        return True
    if end < last:
        raise DataRefused("omop.lost-early", "the observation ends before it is known how things went")
    return False


def measure(patient: Patient, name: str, one: omop.Measure) -> float:
    """The mean of the day's numbers, in the first of the units."""
    if name not in patient.taken:
        raise DataRefused("omop.not-measured", f"no {name} was taken in the first year of observation")
    numbers = []
    for number, unit, operator in patient.taken[name][1]:
        if not isinstance(number, int | float | Decimal) or not math.isfinite(number):
            raise DataRefused("omop.not-a-number", f"a {name} has no number")
        if (operator or 0) not in omop.EQUAL:
            raise DataRefused("omop.operator", f"a {name} is only known to be above or below its number")
        if (factor := one.units.get(unit or 0)) is None:
            raise DataRefused("omop.unit", f"a {name} has a unit that is not listed")
        numbers.append(float(number) * factor)
    return within(math.fsum(numbers) / len(numbers), one.limits)


def within(value: float, limits: tuple[float, float, float, float]) -> float:
    if not limits[0] <= value <= limits[1]:
        raise DataRefused("omop.out-of-range", "a value that nobody can have")
    return value


def spelled(value: float) -> str:
    """To six digits after the point, so that both databases give the same file."""
    return format(round(value, 6), "f").rstrip("0").rstrip(".")


def table_of(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([omop.COLUMNS, *rows])
    return text.getvalue().encode()
