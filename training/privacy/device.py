"""Which device takes clipped sums: the processor, or a GPU where the site is told to use one.

Only the sum is taken there. Patients are sampled, noise is drawn (training.privacy.noise) and added on the processor,
whatever the device (training.privacy.engines.OnDevice).
"""

from __future__ import annotations

from typing import Literal

import torch

from training.errors import TrainingError

Setting = Literal["auto", "cpu", "cuda"]


def chosen(setting: Setting) -> str:
    """The device of this machine: `auto` takes a GPU where there is one. Raises TrainingError `site.no-gpu`."""
    there = torch.cuda.is_available()
    if setting == "cuda" and not there:
        message = "this site is set to train on a GPU (device: cuda), and torch sees none: mend it, or set auto or cpu"
        raise TrainingError("site.no-gpu", message)
    return "cuda" if there and setting != "cpu" else "cpu"
