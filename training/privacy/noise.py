"""Random bytes, uniform and Gaussian numbers from ChaCha20 under a key of the operating system: for noise and sampling.

Never a seed, never torch's, numpy's or MONAI's global generator: a fixed seed makes the noise equal at all hospitals
and rounds, and subtracting two updates then removes it. A keystream belongs to one process: after a fork it takes a new
key.

**Method.** Uniforms are 53-bit: (k + 1) / 2**53, in (0, 1]. Normals by Box and Muller (1958) in float64, and each value
handed out is the sum of two of them, made from four uniforms, over sqrt(2) (Holohan and Braghin 2021, arXiv 2107.10138,
who add the sine of each pair to its cosine: r cos(a) + r sin(a) is sqrt(2) r cos(a - pi/4), so the same sum takes half
the work): which float64 values one sum can take no longer tells, in any feasible time, which inputs made it.

**Known limits.** It is not an exact sampler: values are float64 with the rounding of log, cos and sqrt, and no value
lies beyond 12.2 standard deviations. Mironov (2012) shows that rounding of floating-point noise can leak the exact
value; what we release is rounded once more, to float32, after many such sums, but this is a mitigation and no proof. A
discrete Gaussian with secure aggregation would be one.
"""

from __future__ import annotations

import math
import os

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from numpy.typing import NDArray

REKEY_AFTER = 2**30  # bytes from one key; far below ChaCha20's 256 GiB
AT_ONCE = 2**14  # normals: what they are made from fits a core's cache, in half the time that millions take together


class Keystream:
    """An endless stream of random numbers. Not thread-safe: each training call makes its own."""

    def __init__(self) -> None:
        self._renew()

    def take(self, count: int) -> bytes:
        """`count` (>= 0) random bytes."""
        if self._process != os.getpid() or self._left < count:
            self._renew()
        self._left -= count
        return self._cipher.update(bytes(count))

    def uniforms(self, count: int) -> NDArray[np.float64]:
        """float64 (count,), each a multiple of 2**-53 in (0, 1]."""
        return _uniforms(self.take(8 * count))

    def normals(self, count: int) -> NDArray[np.float64]:
        """float64 (count,), independent, mean 0, standard deviation 1."""
        values = np.empty(count)
        for start in range(0, count, AT_ONCE):
            part = values[start : start + AT_ONCE]
            radius, angle = self.uniforms(4 * len(part)).reshape(2, 2, len(part))  # worked on in place
            np.log(radius, out=radius)
            radius *= -2.0
            np.sqrt(radius, out=radius)
            angle *= 2.0 * np.pi
            radius *= np.cos(angle, out=angle)
            np.add(radius[0], radius[1], out=part)
        values *= math.sqrt(0.5)
        return values

    def _renew(self) -> None:
        self._cipher = self._open(os.urandom(32), os.urandom(16))
        self._left = REKEY_AFTER
        self._process = os.getpid()

    @staticmethod
    def _open(key: bytes, nonce: bytes) -> CipherContext:
        return Cipher(ChaCha20(key, nonce), mode=None).encryptor()


def expand(key: bytes, count: int) -> NDArray[np.float64]:
    """float64 (count,) in (0, 1], the same for the same 32-byte `key`: for initial weights, NEVER for noise."""
    return _uniforms(Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(8 * count)))


def _uniforms(data: bytes) -> NDArray[np.float64]:
    words = np.frombuffer(data, dtype="<u8") >> np.uint64(11)
    uniforms: NDArray[np.float64] = (words + np.uint64(1)).astype(np.float64) * 2.0**-53
    return uniforms
