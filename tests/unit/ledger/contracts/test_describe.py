"""docs/formats/contracts.md is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from ledger.contracts import describe

ROOT = Path(__file__).parents[4]


def test_the_reference_is_up_to_date():
    assert (ROOT / "docs/formats/contracts.md").read_text() == describe.document(), (
        "run: python -m ledger.contracts.describe > docs/formats/contracts.md"
    )


def test_every_code_in_the_source_is_in_the_reference():
    source = "".join(path.read_text() for path in (ROOT / "ledger/contracts").glob("*.py"))
    raised = set(re.findall(r'Refused\(\s*"([a-z]+\.[a-z-]+)"', source))
    assert len(raised) > 60
    assert not {code for code in raised if f"`{code}`" not in describe.document()}
