"""Which of MONAI's networks can train with privacy: what Opacus' validator says, what a batch says, what mends it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from opacus.validators import ModuleValidator

from training.errors import ModelRefused
from training.models import preflight
from training.models.candidates import CANDIDATES, LARGE, Flat, loss
from training.models.networks import Network
from training.privacy.engines import ENGINES, engine

RECORDS = 4
LABELS = np.arange(RECORDS, dtype=np.int64) % 2
HEADINGS = ("network", "Opacus' validator", "Opacus on a batch", "preflight", "mend", *ENGINES)


@dataclass(frozen=True, slots=True)
class Row:
    """`validator`: whether Opacus' own check of layers passes the network as it comes. `batch`: whether its hooks then
    take a batch. `refusal`: preflight's code, or "". `mended`: what was changed; `engines`: a code each after that, or
    "not tried".
    """

    network: str
    validator: bool
    batch: bool
    refusal: str
    mended: tuple[str, ...]
    engines: dict[str, str]

    def cells(self) -> list[str]:
        return [
            self.network,
            "passes" if self.validator else "refuses",
            "runs" if self.batch else "fails",
            self.refusal or "passes",
            ", ".join(self.mended) or "none",
            *(code or "works" for code in self.engines.values()),
        ]


def markdown(rows: Iterable[Row]) -> str:
    """The table as docs/networks.md has it, without a line feed at the end."""
    return _lines(HEADINGS, [row.cells() for row in rows])


def excuses(reasons: Mapping[str, str]) -> str:
    """The table of the networks that are not tried, each with why."""
    return _lines(("not tried", "why"), reasons.items())


def _lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, ["---"] * len(headings), *rows))


def row(name: str) -> Row:
    """Try the network `name` of CANDIDATES. Raises ModelRefused `model.unknown`."""
    if name not in CANDIDATES:
        raise ModelRefused("model.unknown", f"no network {name!r} is tried here: use {', '.join(CANDIDATES)}")
    build, shape = CANDIDATES[name]
    features = np.random.default_rng(0).normal(size=(RECORDS, *shape)).astype(np.float32)

    def fresh(mending: bool) -> Network:
        torch.manual_seed(0)
        module = Flat(build()).eval()
        if mending:
            mended.extend(preflight.mend(module))
        return Network(module, loss, lambda outputs, labels: outputs)

    mended: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        validator = not ModuleValidator.validate(fresh(False).module.train(), strict=False)
        batch = not _refusal(lambda: _on_a_batch(fresh(False), features))
        refusal = _refusal(lambda: preflight.check(fresh(False), features, LABELS))
        fresh(True)
        engines = {
            one: "not tried"
            if name in LARGE
            else _refusal(lambda one=one: preflight.check(fresh(True), features, LABELS, one))  # type: ignore[misc]
            for one in ENGINES
        }
    return Row(name, validator, batch, refusal, tuple(sorted(set(mended))), engines)


def _on_a_batch(network: Network, features: NDArray[np.float32]) -> None:
    weights = torch.from_numpy(network.give())
    tried = engine("opacus-hooks", network.module, network.loss, 1.0, RECORDS)
    tried.clipped_sum(weights, features, LABELS, np.arange(RECORDS))


def _refusal(tried: Callable[[], None]) -> str:
    """The code that `tried` is refused with, or "" where it is not."""
    try:
        tried()
    except ModelRefused as refused:
        return refused.code
    return ""
