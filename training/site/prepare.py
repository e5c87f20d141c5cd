"""From a hospital's DICOM and PNG files to the file that trains (training.site.images), with a report for the hospital.

The list of images is a CSV with the columns `patient`, `file`, `label`; files stand beside it or below. What cannot be
used is left out and named in the report with the reason, and so are the tags that were left behind. The report stays at
the hospital: nothing of it is on the ledger, and no model sees it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from monai.transforms import Compose, EnsureChannelFirst, Resize
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.errors import DataRefused
from training.site import dicom, images
from training.site.report import Report, nothing_used

LABELS = ("0", "1")
COLUMNS = ("patient", "file", "label")
TRANSFORM = Compose([
    EnsureChannelFirst(channel_dim="no_channel"),
    Resize((images.SIDE, images.SIDE), mode="area"),
])  # fmt: skip


def prepare(index: Path, target: Path) -> Report:
    """Write `target` (NPZ) from the images that the CSV `index` lists.

    Raises DataRefused as `listed`, and `data.empty` (no image of the list can be used: nothing is written).
    """
    removed, failed = Counter[str](), dict[str, str]()
    patients: list[str] = []
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    rows = list(listed(index, COLUMNS))
    claimed = contested(rows)
    for patient, file, label in rows:
        try:
            require_one_patient(file, claimed)
            known = _label(file, label)
            image = _image(index.parent, file, removed)
        except DataRefused as refused:
            failed[file] = refused.code
            continue
        patients.append(patient)
        pixels.append(image)
        labels.append(known)
    if not patients:
        raise nothing_used(f"no image that {index.name} lists", failed, "it lists none")
    images.write(target, patients, np.stack(pixels), np.array(labels, dtype=np.uint8))
    return Report(dicom.PROFILE, len(patients), failed, dict(removed))


def listed(index: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The cells of `columns` in each line of the CSV `index`, the first two of which must be filled in.

    Raises DataRefused `data.missing-file`, `data.encoding`, `data.truncated`, `data.missing-column`,
    `data.repeated-column`, `data.empty-cell`.
    """
    try:
        text = index.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataRefused("data.encoding", f"{index.name} is not UTF-8 text: write it again as UTF-8") from None
    except OSError:
        raise DataRefused("data.missing-file", f"{index.name} cannot be read: check that it is there") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = rows.fieldnames or ()
        for column in columns:
            if names.count(column) != 1:
                code, what = ("missing", "is missing") if column not in names else ("repeated", "stands twice")
                message = f"{index.name}: column {column} {what}: write the columns {', '.join(columns)}"
                raise DataRefused(f"data.{code}-column", message, column=column)
        for row in rows:
            cells = tuple((row[column] or "").strip() for column in columns)
            if not all(cells[:2]):
                message = f"{index.name}, line {rows.line_num}: each image needs its patient and its file"
                raise DataRefused("data.empty-cell", message, line=rows.line_num)
            yield cells
    except csv.Error:
        message = f"{index.name}, line {rows.line_num}: a quotation mark is open, or a cell too long: correct it"
        raise DataRefused("data.truncated", message, line=rows.line_num) from None


def contested(rows: Sequence[Sequence[str]]) -> set[str]:
    """The files (second cells) that `rows` list for more than one patient (first cells)."""
    owners: dict[str, set[str]] = {}
    for patient, file, *_ in rows:
        owners.setdefault(file, set()).add(patient)
    return {file for file, patients in owners.items() if len(patients) > 1}


def require_one_patient(file: str, claimed: set[str]) -> None:
    """Raises DataRefused `data.two-patients`: nobody knows whose it is, and a record protects one patient."""
    if file in claimed:
        raise DataRefused("data.two-patients", f"{file} is listed for two patients: correct the list")


def placed(folder: Path, file: str) -> Path:
    """Where a listed `file` is. Raises DataRefused `data.outside`, `data.missing-file`."""
    path = folder / file
    try:
        inside, there = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, ValueError):  # too long for a name, or no name at all
        inside, there = True, False
    if not inside:
        raise DataRefused("data.outside", f"{file} stands outside the list's folder: put it inside")
    if not there:
        raise DataRefused("data.missing-file", f"{file} is not there: correct the list")
    return path


def _label(file: str, text: str) -> int:
    if text not in LABELS:
        raise DataRefused("data.unknown-value", f"{file}: the label is none of {', '.join(LABELS)}")
    return LABELS.index(text)


def _image(folder: Path, file: str, removed: Counter[str]) -> NDArray[np.uint8]:
    path = placed(folder, file)
    grey = _png(path) if path.suffix.lower() == ".png" else dicom.read(path, removed)
    resized = np.asarray(TRANSFORM(grey))[0]
    image: NDArray[np.uint8] = np.rint(np.clip(resized, 0.0, 1.0) * 255).astype(np.uint8)
    return image


def _png(path: Path) -> NDArray[np.float32]:
    if not path.stat().st_size:
        raise DataRefused("data.empty", f"{path.name} has 0 bytes: export it again")
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            if opened.mode != "L":
                message = f"{path.name} is of mode {opened.mode}: save it as grey of 8 bits"
                raise DataRefused("data.bit-depth", message)
            grey: NDArray[np.float32] = np.asarray(opened, dtype=np.float32) / np.float32(255)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
        raise DataRefused("data.pixels", f"{path.name} is no whole PNG file: export it again") from None
    return grey
