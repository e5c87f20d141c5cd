"""Arrays in a hospital's NPZ, taken out without trusting it: no code in it runs, no small file fills the memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.site.loader import LARGEST

Array = NDArray[np.generic]
DAMAGE = (  # what zipfile and NumPy raise about a file that is none: another version, encrypted, a shape too large
    ArithmeticError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


def arrays(
    file: str, data: bytes, names: Sequence[str], command: str, optional: Sequence[str] = ()
) -> tuple[tuple[Array, ...], dict[str, Array]]:
    """The arrays `names` in `data`, an NPZ called `file`, and those of `optional` that it has.

    `command`: what makes such a file.

    Raises DataRefused `data.empty`, `data.too-large`, `data.not-an-archive`, `data.missing-array`.
    """
    if not data:
        raise DataRefused("data.empty", f"{file} has 0 bytes: export it again", file=file)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            inside = sum(item.file_size for item in archive.infolist())
        if inside > LARGEST:
            raise DataRefused("data.too-large", f"{file} unpacks to more than 512 MiB: split the data set", file=file)
        with np.load(BytesIO(data), allow_pickle=False) as opened:
            found = {name: opened[name] for name in (*names, *optional) if name in opened}
        if not all(isinstance(one, np.ndarray) and one.ndim for name, one in found.items() if name in names):
            raise ValueError
    except (zipfile.BadZipFile, zlib.error, *DAMAGE):
        message = f"{file} is no whole NPZ archive: make it with `{command}`"
        raise DataRefused("data.not-an-archive", message, file=file) from None
    for name in names:
        if name not in found:
            message = f"{file} lacks the array {name}: make it with `{command}`"
            raise DataRefused("data.missing-array", message, file=file, array=name)
    return tuple(found[name] for name in names), {name: found[name] for name in optional if name in found}


def require_patients(file: str, patients: Array) -> None:
    """Raises DataRefused `data.empty-cell` unless each record names its patient."""
    if patients.dtype.kind != "U" or not all(str(patient).strip() for patient in patients):
        raise DataRefused("data.empty-cell", f"{file}: each record needs its patient, as text", file=file)


def grey(pixels: Array) -> NDArray[np.float32]:
    """Grey values, uint8 (n, ...), as a network takes them: float32 (n, 1, ...), -1..1."""
    features: NDArray[np.float32] = pixels.astype(np.float32)[:, None] / np.float32(127.5) - np.float32(1)
    return features
