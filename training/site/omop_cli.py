"""The commands about OMOP tables: `covenant omop extract`, `example`."""

from __future__ import annotations

from pathlib import Path

import typer

app = typer.Typer(add_completion=False, help="Make the file that a hospital registers from its OMOP tables.")

TARGET = typer.Argument(..., help="The file to write, ending in .omop.csv; it must not exist.")
SOURCE = typer.Option(
    ...,
    "--source",
    envvar="COVENANT_OMOP_SOURCE",
    show_envvar=True,
    help="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; give a password by the variable, not here.",
)
SCHEMA = typer.Option(None, "--schema", help="The schema that holds the CDM; the database's default without it.")
FOLDER = typer.Argument(..., help="The folder to write one SQLite file a hospital into.")


@app.callback()
def omop() -> None:
    """Make the file that a hospital registers from its OMOP tables."""


@app.command()
def extract(target: Path = TARGET, source: str = SOURCE, schema: str | None = SCHEMA) -> None:
    """Write one line a patient from the tables of CDM 5.4; who was left out, and why, goes beside it."""
    from training.site.cdm import extract as make
    from training.site.report import reported

    report, told = reported(lambda path: make(source, path, schema), target, ".omop.csv")
    typer.echo(f"{report.used} patients used, {len(report.failed)} left out; the report stays here: {told}")


@app.command()
def example(folder: Path = FOLDER) -> None:
    """Write made-up OMOP tables of four hospitals, for a trial, from the public heart disease data."""
    from training.site.cdm_example import write_databases

    for path in write_databases(folder):
        typer.echo(str(path))
