"""What is absent cannot be imported until the end; what was there before stays."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from training.models.absent import absent

TRAINS = """
import json, sys
import numpy as np
from training.models import heart, registry
from training.site.trainer import rehearsed, train
configuration = registry.configuration(heart.DEFAULTS.configuration())
rehearsed(configuration)
privacy = {"delta": "0.0001", "sigma": "2", "q": "0.5", "clip": "1", "unit": "patient",
           "steps": configuration.local_steps, "records_per_patient": 1}
weights, rows = registry.initial_weights(configuration, 1), np.ones((40, heart.INPUTS), np.float32)
train(weights, rows, np.arange(40, dtype=np.int64) % 2, np.arange(40), privacy, configuration, "20")
print(json.dumps(sorted(sys.modules)))
"""


def test_an_absent_package_cannot_be_imported_until_the_end():
    sys.modules.pop("colorsys", None)
    with absent({"colorsys"}), pytest.raises(ModuleNotFoundError):
        import colorsys
    import colorsys

    with absent({"colorsys"}):
        import colorsys as again
    assert again is colorsys


def test_training_the_tabular_network_loads_no_compilers_and_no_libraries_that_it_does_not_use():
    shown = subprocess.run([sys.executable, "-c", TRAINS], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    loaded = set(json.loads(shown.stdout))
    assert {"torch", "monai"} <= loaded
    assert not loaded & {"torch._dynamo", "torch._inductor", "sympy", "opacus", "pandas", "scipy", "sklearn", "pydicom"}
