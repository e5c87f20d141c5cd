"""When another transaction was faster: propose again, a few times, a little later each time."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ledger.gateway.errors import CommitError, EndorseError, GatewayError

_CONFLICTS = ("MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT")
_UNHEARD = ("no combination of peers can be derived", "failed to find any endorsing peers for org(s)")  # Fabric's words


@dataclass(frozen=True, slots=True)
class Retry:
    """At most `attempts` proposals; before attempt n+1, a random pause of up to `pause` * 2**n seconds, never over
    `longest`.

    The pause is random so that clients in conflict part. Writes of the contracts are idempotent under their natural
    ids, so a second proposal of an act that went through after all is answered with the standing record.
    """

    attempts: int = 6
    pause: float = 0.01
    longest: float = 1.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 0)."""
        return random.uniform(0, min(self.pause * 2**attempt, self.longest))

    @staticmethod
    def worthwhile(error: GatewayError) -> bool:
        """Whether the same act may go through when proposed anew: it lost a race, and nothing was written."""
        if isinstance(error, CommitError):
            return error.validation in _CONFLICTS
        return isinstance(error, EndorseError) and _endorsers_differ(error)

    @staticmethod
    def settles(error: GatewayError) -> bool:
        """Whether the peer will know better in a few seconds: who runs the contracts it hears from the other peers,
        and after its own start, or once another version was committed, it has not heard of enough of them yet, or not
        of one that was asked for by name.
        """
        return isinstance(error, EndorseError) and any(words in error.message for words in _UNHEARD)


def _endorsers_differ(error: EndorseError) -> bool:
    """Peers a block apart answered from different states (Fabric's gateway says so in these words)."""
    said = [error.message, *(detail.message for detail in error.details)]
    return any("ProposalResponsePayloads do not match" in text for text in said)
