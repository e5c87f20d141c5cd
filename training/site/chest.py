"""PneumoniaMNIST (MedMNIST v2, CC BY 4.0) shared among hospitals, for a trial of image training.

The product does not carry the file: the canonical one is what its authors' package medmnist fetches, and any file with
the same arrays will do. It names no patients, so every image stands for itself: the shared files say that their unit is
the image, and so do data sets, plans, certificates and cards made from them.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.privacy.mechanism import IMAGE
from training.site import images
from training.site.arrays import DAMAGE

Pixels = NDArray[np.uint8]


def read(source: Path, part: str) -> tuple[Pixels, Pixels]:
    """Images uint8 (n, 28, 28) and labels uint8 (n,) of `part` (train, val, test).

    Raises DataRefused `data.missing-file`, `data.not-an-archive`.
    """
    try:
        with np.load(source, allow_pickle=False) as opened:
            pixels, labels = opened[f"{part}_images"], opened[f"{part}_labels"].reshape(-1)
            if len(labels) != len(pixels) or not np.isin(labels, (0, images.POSITIVE)).all():
                raise ValueError
            return pixels, labels.astype(np.uint8)
    except OSError:
        raise DataRefused("data.missing-file", f"{source.name} cannot be read: check that it is there") from None
    except (zipfile.BadZipFile, zlib.error, AttributeError, *DAMAGE):
        message = f"{source.name} is not PneumoniaMNIST's NPZ: take the one that medmnist fetches"
        raise DataRefused("data.not-an-archive", message) from None


def share(source: Path, folder: Path, hospitals: int) -> list[Path]:
    """Write `folder`/chest-1.npz and so on, dealing the training images out in turns. Raises as `read`."""
    pixels, labels = read(source, "train")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(hospitals):
        own = range(number, len(labels), hospitals)
        path = folder / f"chest-{number + 1}.npz"
        names = [f"image-{place:05}" for place in own]
        images.write(path, names, pixels[list(own)], labels[list(own)], IMAGE)
        written.append(path)
    return written
