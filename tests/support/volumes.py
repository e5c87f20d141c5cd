"""Made-up CT volumes as NIfTI files: a soft ball in fat, at any spacing and orientation, with its drawn region."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

FAT, SOFT = -100.0, 60.0  # Hounsfield units


def ball(shape: tuple[int, int, int], affine: NDArray[np.float64], radius: float) -> NDArray[np.uint8]:
    """1 within `radius` mm of the middle of a grid of `shape`, else 0."""
    places = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), -1)
    away = (places - (np.array(shape) - 1) / 2) @ affine[:3, :3].T
    inside: NDArray[np.uint8] = (np.linalg.norm(away, axis=-1) <= radius).astype(np.uint8)
    return inside


def spaced(*millimetres: float) -> NDArray[np.float64]:
    """An affine with these spacings; a negative one runs from right to left, from front to back, or downwards."""
    return np.diag([*millimetres, 1.0])


def write(
    folder: Path, name: str, *, shape: tuple[int, int, int], affine: NDArray[np.float64], radius: float, seed: int = 0
) -> tuple[Path, Path]:
    """`name`.nii.gz and `name`-mask.nii.gz in `folder`."""
    region = ball(shape, affine, radius)
    noise = np.random.default_rng(seed).normal(0, 20, shape)
    voxels = np.where(region, SOFT, FAT) + noise
    written = []
    for end, values in (("", voxels.astype(np.int16)), ("-mask", region)):
        image = nibabel.Nifti1Image(values, affine)
        image.set_sform(affine, code=1)
        path = folder / f"{name}{end}.nii.gz"
        nibabel.save(image, path)
        written.append(path)
    return written[0], written[1]
