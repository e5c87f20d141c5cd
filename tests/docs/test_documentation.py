"""What the documentation says is so: its links lead somewhere, its commands exist, its ADRs have their four parts."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_covenant_commands_exist(page: Path) -> None:
    named = set(re.findall(r"(?:^|`)covenant ((?:[a-z-]+)(?: [a-z-]+)?)", page.read_text(), re.MULTILINE))
    for words in named:
        refused = refusal(tuple(word for word in words.split() if not word.startswith("-")))
        assert not refused, f"{page.name} names `covenant {words}`: {refused}"


@cache
def refusal(command: tuple[str, ...]) -> str:
    """What `covenant` says of a command that there is not; nothing of one that there is.

    In a new environment the first ones compile what they load, on a machine that may be busy.
    """
    asked = [str(ROOT / ".venv/bin/covenant"), *command, "--help"]
    result = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
    return "" if result.returncode == 0 else result.stderr or f"status {result.returncode}"


def test_a_command_that_is_not_there_is_found() -> None:
    assert refusal(("nosuch",))


def test_every_refusal_of_a_network_has_its_line() -> None:
    files = (ROOT / "ledger/network").glob("*.py")
    raised = {each for file in files for each in re.findall(r'NetworkError\(\s*"([a-z.-]+)"', file.read_text())}
    table = (ROOT / "docs/operate/fabric.md").read_text().partition("## When a command refuses")[2]
    assert set(re.findall(r"`(network\.[a-z-]+)`", table)) == raised


def test_adrs_have_their_parts() -> None:
    for page in (ROOT / "docs/adr").glob("*.md"):
        text = page.read_text()
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{page.name} lacks {part}"
