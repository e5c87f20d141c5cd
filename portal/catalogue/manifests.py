"""From a file on this hospital's node to what the ledger may know of it: digests, a rough size, names of methods.

Raw files lie in the node's `records` folder. Nothing here imports torch.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.conf import settings

from consent import canonical, cohort
from portal.catalogue.models import Source
from portal.errors import PortalError
from training.site import failure, heart, images, loader, omop, roots, volumes
from training.site.loader import Records
from training.site.split import Split, split


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file. `categories`: which kinds of a patient's data it holds, in the words of their choices."""

    load: Callable[[Path], Records]
    schema: str
    columns: tuple[str, ...]
    modality: str
    categories: tuple[str, ...]


KINDS = {  # by the end of a file's name, the longest that fits
    ".survival.csv": Kind(failure.load, failure.SCHEMA, failure.COLUMNS, "tabular", ("diagnoses", "measurements")),
    ".omop.csv": Kind(omop.load, omop.SCHEMA, omop.COLUMNS, "tabular", ("diagnoses", "measurements")),
    ".csv": Kind(loader.load, heart.SCHEMA, heart.COLUMNS, "tabular", ("diagnoses", "measurements")),
    ".volumes.npz": Kind(volumes.load, volumes.SCHEMA, volumes.COLUMNS, "volumes", ("images",)),
    ".npz": Kind(images.load, images.SCHEMA, images.COLUMNS, "images", ("diagnoses", "images")),
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file becomes on the ledger. All digests are 64 hex characters."""

    raw: str
    root: str
    schema: str
    transformation: str
    size_bucket: str
    records_per_patient: int
    modality: str
    categories: tuple[str, ...]
    unit: str


def files() -> list[str]:
    """The names of the data files in the records folder, sorted."""
    return sorted(path.name for path in folder().iterdir() if path.name.endswith(tuple(KINDS)) and path.is_file())


def of(name: str) -> Manifest:
    """The manifest of a file, all of it checked. Raises DataRefused `data.*`, ConsentError `cohort.*`."""
    kind = kind_of(name)
    records = kind.load(path(name))
    return Manifest(
        raw=records.raw,
        root=roots.dataset_root(records, secret()),
        schema=kind.schema,
        transformation=records.transformation,
        size_bucket=cohort.bucket_of(len(records.people)),
        records_per_patient=records.most,
        modality=kind.modality,
        categories=kind.categories,
        unit=records.unit,
    )


def kind_of(name: str) -> Kind:
    """Raises PortalError `catalogue.file-kind`."""
    if (end := max(filter(name.endswith, KINDS), key=len, default=None)) is None:
        raise PortalError("catalogue.file-kind", f"a data file's name ends in {' or '.join(KINDS)}", file=name)
    return KINDS[end]


def records_of(dataset: str, version: int) -> Records:
    """The records of a registered version, exactly those that were registered.

    Raises PortalError `catalogue.no-source` (this store does not know the version), `catalogue.file-changed`,
    DataRefused.
    """
    source = find(dataset, version)
    file = path(source.file)
    state = file.stat() if file.is_file() else None
    records = _load(file, state.st_mtime_ns if state else 0, state.st_size if state else 0)
    if records.raw != source.raw:
        raise PortalError(
            "catalogue.file-changed",
            f"{source.file} is not the file that was registered: put it back, or register a new version",
            file=source.file,
        )
    return records


def failures(dataset: str, version: int) -> dict[str, int]:
    """Code -> how many records could not be prepared, where a report lies beside the file."""
    report = path(find(dataset, version).file).with_suffix(".report.json")
    try:
        codes = json.loads(report.read_bytes())["failed"].values()
        return dict(Counter(str(code) for code in codes))
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return {"data.report-unreadable": 1}


def split_of(dataset: str, version: int) -> Split:
    """Whose records train and whose are held out, whoever consents. Raises as `records_of`."""
    return split(records_of(dataset, version), find(dataset, version).seed)


def find(dataset: str, version: int) -> Source:
    source = Source.objects.filter(dataset=dataset, version=version).first()
    if source is None:
        raise PortalError(
            "catalogue.no-source",
            "this hospital does not know where the records of this version lie",
            dataset=dataset,
            version=version,
        )
    return source


def path(name: str) -> Path:
    """The file called `name` in the records folder; nothing outside it can be named."""
    if Path(name).name != name:
        raise PortalError("catalogue.file-name", "name a file of the records folder, without any path", file=name)
    return folder() / name


def folder() -> Path:
    return settings.NODE.data / "records"


def secret() -> bytes:
    """The hospital's 32 bytes that salt record digests; made when first needed, readable by this user alone."""
    file = settings.NODE.data / "manifest.secret"
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(handle, "wb") as opened:
        opened.write(os.urandom(32))
        opened.flush()
        os.fsync(opened.fileno())
    return file.read_bytes()


def describe(version: dict[str, Any]) -> str:
    """Keep the data set's description (Croissant, the parts that are safe to publish) and return its digest."""
    document = canonical.encode(
        {
            "@context": {
                "@vocab": "https://schema.org/",
                "cr": "http://mlcommons.org/croissant/",
                "dct": "http://purl.org/dc/terms/",
            },
            "@type": "Dataset",
            "dct:conformsTo": "http://mlcommons.org/croissant/1.1",
            "name": version["title"],
            "identifier": f"{version['dataset']}/{version['version']}",
            "version": str(version["version"]),
            "usageInfo": [*version["duo"], *version["diseases"]],
            "measurementTechnique": version["transformation"],
            "variableMeasured": list(next(kind.columns for kind in KINDS.values() if kind.schema == version["schema"])),
        }
    )
    digest = sha256(document).hexdigest()
    target = settings.NODE.data / "croissant" / f"{digest}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(document)
    return digest


@lru_cache(maxsize=4)
def _load(file: Path, changed: int, size: int) -> Records:
    return kind_of(file.name).load(file)
