"""The table of networks is what the command prints: a few here, all of them where time is no matter."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.models.candidates import CANDIDATES
from training.models.table import HEADINGS, markdown, row

PAGE = (Path(__file__).parents[2] / "docs/networks.md").read_text().splitlines()
QUICK = ("FullyConnectedNet", "SegResNet")


def test_every_network_has_its_line() -> None:
    heading = PAGE.index(f"| {' | '.join(HEADINGS)} |")
    listed = [line.split(" | ")[0].removeprefix("| ") for line in PAGE[heading + 2 : heading + 2 + len(CANDIDATES)]]
    assert listed == list(CANDIDATES)


@pytest.mark.parametrize("name", CANDIDATES if os.environ.get("COVENANT_SOAK") == "1" else QUICK)
def test_a_line_is_what_the_command_prints(name: str) -> None:
    assert markdown([row(name)]).splitlines()[-1] in PAGE
