"""What torch is linked against is there before torch is, and torch takes it as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

QUIET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
LOOKS = """
import json, os, re, sys
def mapped():
    return {name for name in re.findall(r"/lib(\\w+)\\.so", open("/proc/self/maps").read())}
from portal.demo import linked
before, threads, early = mapped(), len(os.listdir("/proc/self/task")), "torch" in sys.modules
import torch
print(json.dumps([sorted(before), sorted(mapped()), threads, early, linked.NAMES]))
"""


@pytest.mark.skipif(find_spec("nvidia") is None, reason="torch is a build without NVIDIA's libraries")
def test_torch_finds_its_libraries_loaded():
    told = subprocess.run(
        [sys.executable, "-c", LOOKS], capture_output=True, text=True, check=True, env={**os.environ, **QUIET}
    )
    before, after, threads, early, names = json.loads(told.stdout)
    assert {*names, "cublasLt"} <= {*before}, "one that is named is not there: torch is linked against others now"
    assert {one for one in {*after} - {*before} if one.startswith(("cublas", "cufft", "cusolver"))} == set()
    assert (threads, early) == (1, False)
