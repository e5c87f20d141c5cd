"""Weights from outside that a study may start from: a safetensors file, pinned by its SHA-256, never fetched.

The institute and every hospital put the file into a folder of their own, under its digest as its name. A plan names the
digest (`public_weights` of its configuration); a site starts only from what its own copy holds. Imports no torch, and
runs no code of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from training.errors import ModelRefused
from training.models import registry
from training.models.weights import Weights, flat

END = ".safetensors"
NAME = re.compile(r"[0-9a-f]{64}\.safetensors")
LARGEST = 2**30  # bytes


def named(folder: Path) -> list[str]:
    """The digests of the files in `folder`, by their names, sorted."""
    if not folder.is_dir():
        return []
    return sorted(path.name.removesuffix(END) for path in folder.iterdir() if NAME.fullmatch(path.name))


def weights(folder: Path, configuration: object) -> Weights:
    """What the file that `configuration` names holds for its network: float32 (P,).

    Raises ModelRefused `weights.missing`, `weights.too-large`, `weights.digest`, `weights.unreadable`,
    `weights.names`, `weights.not-finite`, and as `registry.configuration`.
    """
    checked = registry.configuration(configuration)
    data = read(folder / f"{checked.public_weights}{END}")
    if sha256(data).hexdigest() != checked.public_weights:
        message = f"the file of public weights {checked.public_weights} holds something else: put the true one back"
        raise ModelRefused("weights.digest", message)
    found = opened(data)
    shapes = registry.shapes(checked)
    if (vector := flat(found, shapes)) is None:
        other = differing(found, shapes)
        message = f"the public weights do not fit {checked.model} with hidden {checked.hidden}: {other}"
        raise ModelRefused("weights.names", message)
    if not np.isfinite(vector).all():
        raise ModelRefused("weights.not-finite", "the public weights hold a number that is not finite: choose others")
    return vector


def keep(file: Path, folder: Path) -> tuple[str, Mapping[str, NDArray[Any]]]:
    """Copy `file` into `folder` (made if missing) under its digest; that, and the tensors in it.

    Raises ModelRefused `weights.missing`, `weights.too-large`, `weights.unreadable`.
    """
    data = read(file)
    tensors = opened(data)
    name = sha256(data).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    part.write_bytes(data)
    part.replace(folder / f"{name}{END}")
    return name, tensors


def read(path: Path) -> bytes:
    """Raises ModelRefused `weights.missing`, `weights.too-large`."""
    try:
        if path.stat().st_size > LARGEST:
            raise ModelRefused("weights.too-large", f"{path.name} is larger than 1 GiB: no network here takes so many")
        return path.read_bytes()
    except OSError:
        message = f"{path.name} cannot be read here: a node keeps public weights by `covenant model keep FILE`"
        raise ModelRefused("weights.missing", message) from None


def opened(data: bytes) -> Mapping[str, NDArray[Any]]:
    """Name -> tensor. Raises ModelRefused `weights.unreadable`."""
    try:
        found: Mapping[str, NDArray[Any]] = load(data)
    except (SafetensorError, ValueError, KeyError, TypeError):
        raise ModelRefused("weights.unreadable", "this is no safetensors file that can be read: save it anew") from None
    return found


def differing(found: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The first tensor that is missing, too many, or of another form."""
    for name in [*shapes, *found]:
        if name not in found:
            return f"{name} is missing"
        if name not in shapes:
            return f"the network has no {name}"
        if found[name].shape != shapes[name] or found[name].dtype != np.float32:
            return f"{name} must be float32 of shape {shapes[name]}"
    return "its tensors are others"
