"""The commands about a hospital's images: `covenant images prepare`, `volumes`, `share`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from training.site.report import Report

app = typer.Typer(add_completion=False, help="Make the file of images that a hospital registers.")

LIST = typer.Argument(..., help="A CSV with the columns patient, file, label; the files beside it or below.")
TARGET = typer.Argument(..., help="The file to write, ending in .npz; it must not exist.")
SCANS = typer.Argument(..., help="A CSV with the columns patient, image, mask; the files beside it or below.")
VOLUMES = typer.Argument(..., help="The file to write, ending in .volumes.npz; it must not exist.")
SOURCE = typer.Argument(..., help="PneumoniaMNIST's NPZ.")
FOLDER = typer.Argument(..., help="The folder to write one file a hospital into.")
HOSPITALS = typer.Option(3, "--hospitals", min=1, max=64, help="Among how many to share the images.")


@app.command()
def prepare(index: Path = LIST, target: Path = TARGET) -> None:
    """Make a file of 28 x 28 images from DICOM and PNG files; what failed, and which tags were left, goes beside it."""
    from training.site.prepare import prepare as make

    _made(make, index, target, ".npz")


@app.command()
def volumes(index: Path = SCANS, target: Path = VOLUMES) -> None:
    """Make a file of CT volumes and drawn regions from NIfTI files; what failed, and what was left, goes beside it."""
    from training.site.nifti import prepare as make

    _made(make, index, target, ".volumes.npz")


def _made(make: Callable[[Path, Path], Report], index: Path, target: Path, end: str) -> None:
    from training.site.report import reported

    report, told = reported(lambda path: make(index, path), target, end)
    typer.echo(f"{report.used} images used, {len(report.failed)} failed; the report stays here: {told}")


@app.command()
def share(source: Path = SOURCE, folder: Path = FOLDER, hospitals: int = HOSPITALS) -> None:
    """Share PneumoniaMNIST's training images among hospitals, for a trial: each image counts as a patient."""
    from training.site.chest import share as cut

    for path in cut(source, folder, hospitals):
        typer.echo(str(path))
