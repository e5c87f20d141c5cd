"""Weights and updates as they are hashed, stored and sent: one flat float32 vector, little-endian.

A vector's digest is its name everywhere: in the plan, in a round's record, in the blob store.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consent.canonical import digest as tagged
from training.errors import TrainingError

TAG = "covenant.weights.v1"
Vector = NDArray[np.float32]


def to_bytes(vector: Vector) -> bytes:
    """The bytes of `vector` (float32, one dimension); raises TrainingError `vector.shape`."""
    if vector.dtype != np.float32 or vector.ndim != 1:
        raise TrainingError("vector.shape", f"a flat float32 vector is needed, not {vector.dtype}{vector.shape}")
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def from_bytes(data: bytes) -> Vector:
    """The vector that `data` spells; raises TrainingError `vector.shape` where the bytes are no whole numbers."""
    if len(data) % 4:
        raise TrainingError("vector.shape", f"{len(data)} bytes are no float32 vector")
    return np.frombuffer(data, dtype="<f4").astype(np.float32)


def digest_bytes(data: bytes) -> str:
    """The digest (64 hexadecimal characters) of a vector's bytes."""
    return tagged(TAG, data).hex()


def digest(vector: Vector) -> str:
    """The digest (64 hexadecimal characters) of `vector`."""
    return digest_bytes(to_bytes(vector))
