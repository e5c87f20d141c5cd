"""NIfTI volumes with a drawn region: from a hospital's files to the file that trains (training.site.volumes).

The list of volumes is a CSV with the columns `patient`, `image`, `mask`; files stand beside it or below. Only voxels
and where they lie are taken: free text in a header and its extensions go, and are counted by name. What cannot be used
is left out and named in the report with the reason. The report stays at the hospital.
"""

from __future__ import annotations

import zlib
from collections import Counter
from itertools import product
from pathlib import Path

import nibabel
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd, ResizeWithPadOrCropd, ScaleIntensityRanged, Spacingd
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from training.errors import DataRefused
from training.models.volume import LABEL
from training.site import volumes
from training.site.loader import LARGEST
from training.site.prepare import contested, listed, placed, require_one_patient
from training.site.report import Report, nothing_used

PROFILE = "covenant.nifti-voxels.v1"
COLUMNS = ("patient", "image", "mask")
TEXTS = ("aux_file", "db_name", "descrip", "intent_name")  # of a header
UNITS = ("mm", "unknown")  # of a header's spacing
SUFFIXES = (".nii", ".nii.gz")
BOTH = ("image", "mask")
NEAR = 1e-3  # mm, and of a voxel: how far apart the grids of an image and its mask may lie
TRANSFORM = Compose([
    Orientationd(BOTH, axcodes="RAS", labels=(("L", "R"), ("P", "A"), ("I", "S"))),
    Spacingd(BOTH, pixdim=(volumes.SPACING,) * 3, mode=("bilinear", "nearest")),
    ScaleIntensityRanged("image", *volumes.WINDOW, 0.0, 255.0, clip=True),
    ResizeWithPadOrCropd(BOTH, LABEL, mode="constant", value=0),
])  # fmt: skip
DAMAGE = (  # what nibabel raises about a file that is none
    ImageFileError, WrapStructError, HeaderDataError, ArithmeticError, EOFError, LookupError, MemoryError, OSError,
    TypeError, ValueError, zlib.error,
)  # fmt: skip
Read = tuple[NDArray[np.float32], NDArray[np.float64]]


def prepare(index: Path, target: Path) -> Report:
    """Write `target` (`*.volumes.npz`) from the volumes that the CSV `index` lists.

    Raises DataRefused as `prepare.listed`, and `data.empty` (no volume of the list can be used: nothing is written).
    """
    removed, failed = Counter[str](), dict[str, str]()
    patients: list[str] = []
    made: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []
    rows = list(listed(index, COLUMNS))
    claimed = contested(rows)
    for patient, image, mask in rows:
        try:
            require_one_patient(image, claimed)
            made.append(_volume(index.parent, image, mask, removed))
        except DataRefused as refused:
            failed[image] = refused.code
            continue
        patients.append(patient)
    if not patients:
        raise nothing_used(f"no volume that {index.name} lists", failed, "it lists none")
    images, masks = (np.stack(parts) for parts in zip(*made, strict=True))
    volumes.write(target, patients, images, masks)
    return Report(PROFILE, len(patients), failed, dict(removed))


def read(path: Path, removed: Counter[str]) -> Read:
    """The voxels of `path`, float32 (x, y, z), and where they lie (4, 4); what is left behind goes into `removed`.

    Raises DataRefused `data.empty`, `data.not-nifti`, `data.no-affine` (the header says nowhere how the voxels lie),
    `data.affine`, `data.shape`, `data.bit-depth`, `data.too-large`, `data.pixels`, `data.not-finite`.
    """
    name = path.name
    if not path.stat().st_size:
        raise DataRefused("data.empty", f"{name} has 0 bytes: export it again", file=name)
    try:
        if not name.endswith(SUFFIXES):
            raise ImageFileError
        found = nibabel.load(path)
        _check(name, found)
    except DAMAGE:
        raise DataRefused("data.not-nifti", f"{name} is no NIfTI file (.nii, .nii.gz): export it again") from None
    try:
        voxels = np.asanyarray(found.dataobj).astype(np.float32)
    except DAMAGE:
        raise DataRefused("data.pixels", f"{name} holds fewer voxels than its header says: export it again") from None
    if not np.isfinite(voxels).all():
        raise DataRefused("data.not-finite", f"{name} holds voxels that are no number: export it again", file=name)
    header = found.header
    removed.update({text for text in TEXTS if text in header.keys() and bytes(header[text]).strip(b"\0 ")})  # noqa: SIM118
    removed.update({"extensions"} if len(header.extensions) else ())
    return voxels, found.affine


def _check(name: str, found: nibabel.Nifti1Pair) -> None:
    header = found.header
    if not isinstance(found, nibabel.Nifti1Pair):
        raise DataRefused("data.not-nifti", f"{name} is no NIfTI file (.nii, .nii.gz): export it again", file=name)
    if not (header["qform_code"] or header["sform_code"]):
        message = f"{name} does not say how its voxels lie (qform and sform are unset): export it with its affine"
        raise DataRefused("data.no-affine", message, file=name)
    if not (np.isfinite(found.affine).all() and abs(np.linalg.det(found.affine[:3, :3])) > 1e-6):
        raise DataRefused("data.affine", f"{name}: the affine is no map of space: export it again", file=name)
    if (unit := header.get_xyzt_units()[0]) not in UNITS:
        raise DataRefused("data.affine", f"{name} counts in {unit}, not in mm: export it in mm", file=name)
    if header["qform_code"] and header["sform_code"] and apart(found) > 1:
        message = f"{name} says twice how its voxels lie, and not the same (qform, sform): export it with one of them"
        raise DataRefused("data.affine", message, file=name)
    if len(found.shape) != 3 or min(found.shape) < 2:
        raise DataRefused("data.shape", f"{name} is no single volume of three dimensions: leave it out", file=name)
    if header.get_data_dtype().kind not in "iuf":
        raise DataRefused("data.bit-depth", f"{name}: voxels must be whole or decimal numbers: export it so", file=name)
    finer = np.linalg.norm(found.affine[:3, :3], axis=0) / volumes.SPACING
    if 4 * np.prod(found.shape * np.maximum(finer, 1), dtype=np.float64) > LARGEST:
        message = f"{name} has more voxels, as it is or at {volumes.SPACING} mm, than fit in 512 MiB: crop it first"
        raise DataRefused("data.too-large", message, file=name)


def apart(found: nibabel.Nifti1Pair) -> float:
    """By how many voxels the two maps of a header, sform and qform, differ about a corner of the volume, at most."""
    corners = np.array(list(product(*((0, size - 1) for size in found.shape), (1,)))).T
    other: NDArray[np.float64] = np.linalg.solve(found.get_sform(), found.get_qform() @ corners)
    return float(np.abs(other - corners).max())


def _volume(folder: Path, image: str, mask: str, removed: Counter[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    (voxels, lies), (drawn, there) = (read(placed(folder, file), removed) for file in (image, mask))
    if drawn.shape != voxels.shape or np.abs(lies - there).max() > NEAR:
        raise DataRefused("data.mask-space", f"{mask} does not lie on the voxels of {image}: draw it on that image")
    if not np.isin(drawn, volumes.LABELS).all():
        raise DataRefused("data.unknown-value", f"{mask} holds other labels than 0 and 1")
    pair = {
        "image": MetaTensor(torch.from_numpy(voxels[None]), affine=lies),
        "mask": MetaTensor(torch.from_numpy(drawn[None]), affine=there),
    }
    made = TRANSFORM(pair)
    whole, region = (np.rint(np.asarray(made[name])[0]).astype(np.uint8) for name in BOTH)
    return whole, region
