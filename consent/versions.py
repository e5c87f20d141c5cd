"""What a consent still permits once a newer version of its text is out: a rule of the version that was signed.

>>> Lapse(since=100, still_permits="no-new-studies").ends(when=150, agreed=99)
False
"""

from __future__ import annotations

from typing import Literal, NamedTuple

StillPermits = Literal["all", "no-new-studies", "nothing"]


class Lapse(NamedTuple):
    """A newer version stands since `since` (epoch seconds of contract time); `still_permits`: the older one's rule."""

    since: int
    still_permits: StillPermits

    def ends(self, when: int, agreed: int | None) -> bool:
        """Whether nothing is permitted at `when` to a study that the hospital agreed to at `agreed` (None: not yet)."""
        if when < self.since or self.still_permits == "all":
            return False
        return self.still_permits == "nothing" or agreed is None or agreed >= self.since
