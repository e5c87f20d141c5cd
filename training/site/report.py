"""What became of a hospital's records while its file was made: written beside it, for the hospital's eyes alone."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.errors import DataRefused
from training.site.attempts import write


@dataclass(frozen=True, slots=True)
class Report:
    """`used`: records in the new file. `failed`: file as listed, or patient -> code.

    `removed`: tag -> in how many files it was. `profile`: the name of the list of what was kept.
    """

    profile: str
    used: int
    failed: dict[str, str]
    removed: dict[str, int]

    def document(self) -> dict[str, object]:
        """As it is written beside the new file."""
        return {
            "profile": self.profile,
            "used": self.used,
            "failed": self.failed,
            "removed": dict(sorted(self.removed.items())),
        }


def nothing_used(what: str, failed: Mapping[str, str], otherwise: str) -> DataRefused:
    """The error where all of `what` `failed` (name -> code), with the commonest reasons; `otherwise` if none did."""
    reasons = Counter(failed.values())
    most = ", ".join(f"{code} ({count})" for code, count in reasons.most_common(3)) or otherwise
    return DataRefused("data.empty", f"{what} can be used: {most}", reasons=dict(reasons))


def reported(make: Callable[[Path], Report], target: Path, end: str) -> tuple[Report, Path]:
    """The report of `make`, which writes `target`, and where it lies now.

    Raises DataRefused `data.target` where the name does not end in `end` or is taken, or its folder cannot be written
    to, and what `make` raises.
    """
    if not target.name.endswith(end) or target.exists():
        raise DataRefused("data.target", f"{target.name} must end in {end} and not exist yet: choose another name")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        message = f"{target} cannot be written ({error.strerror}): name a file in a folder that you may write to"
        raise DataRefused("data.target", message) from None
    report = make(target)
    told = target.with_suffix(".report.json")
    write(told, (json.dumps(report.document(), indent=1) + "\n").encode())
    return report, told
