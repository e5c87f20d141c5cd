"""The shared libraries that torch is linked against, loaded without torch: importing this does it.

NVIDIA's, in a build of torch for their devices. They write a hundred megabytes as they load, used or not (cuBLAS alone
90): done before a fork, that is one copy for all that load torch afterwards, where it was one in each. Nothing is done
where they are not installed.
"""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

NAMES = ("cublas", "cufft", "cupti", "cusolver", "cusparseLt", "nvrtc")  # each brings what it is linked against itself


def load() -> None:
    found = find_spec("nvidia")
    for folder in found.submodule_search_locations or () if found else ():
        for name in NAMES:
            for file in sorted(Path(folder).glob(f"*/lib/lib{name}.so.*")):
                ctypes.CDLL(str(file))


load()
