"""The commands about a hospital's images: `covenant images prepare`, `covenant images share`."""

from __future__ import annotations

import json
from pathlib import Path

import typer

app = typer.Typer(add_completion=False, help="Make the file of images that a hospital registers.")

LIST = typer.Argument(..., help="A CSV with the columns patient, file, label; the files beside it or below.")
TARGET = typer.Argument(..., help="The file to write, ending in .npz; it must not exist.")
SOURCE = typer.Argument(..., help="PneumoniaMNIST's NPZ.")
FOLDER = typer.Argument(..., help="The folder to write one file a hospital into.")
HOSPITALS = typer.Option(3, "--hospitals", min=1, max=64, help="Among how many to share the images.")


@app.command()
def prepare(index: Path = LIST, target: Path = TARGET) -> None:
    """Make a file of 28 x 28 images from DICOM and PNG files; what failed, and which tags were left, goes beside it."""
    from training.errors import DataRefused
    from training.site.attempts import write
    from training.site.prepare import prepare as make

    if target.suffix != ".npz" or target.exists():
        raise DataRefused("data.target", f"{target.name} must end in .npz and not exist yet: choose another name")
    report = make(index, target)
    told = target.with_suffix(".report.json")
    write(told, (json.dumps(report.document(), indent=1) + "\n").encode())
    typer.echo(f"{report.used} images used, {len(report.failed)} failed; the report stays here: {told}")


@app.command()
def share(source: Path = SOURCE, folder: Path = FOLDER, hospitals: int = HOSPITALS) -> None:
    """Share PneumoniaMNIST's training images among hospitals, for a trial: each image counts as a patient."""
    from training.site.chest import share as cut

    for path in cut(source, folder, hospitals):
        typer.echo(str(path))
