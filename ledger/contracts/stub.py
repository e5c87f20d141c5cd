"""What a host gives to a contract: committed state, and who is asking, when, about what. Nothing else reaches it.

Two hosts implement `Stub`: the embedded ledger and the chaincode of a Fabric peer. Neither a clock, nor randomness, nor
the network can be reached through it, so the same call over the same state writes the same bytes at every hospital.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Creator:
    """Who signed the proposal, read from the certificate alone.

    `organisation`: the MSP id. `roles`: the values of the certificate's `covenant.role` attribute. `common_name`: for
    logs; no rule depends on it.
    """

    organisation: str
    roles: frozenset[str]
    common_name: str


class Stub(Protocol):
    """One transaction's view of the ledger.

    `hospitals`: MSP ids, sorted: those of the endorsement policy in the channel's genesis block. A host is told them
    when it starts, so they may only cause a refusal. `now`: contract time, the proposal's timestamp in whole epoch
    seconds UTC (the host has refused one more than 300 s from its own clock). `replaying`: an auditor runs the chain
    again; transient data is gone from the blocks.
    """

    @property
    def channel(self) -> str: ...

    @property
    def hospitals(self) -> tuple[str, ...]: ...

    @property
    def tx_id(self) -> str: ...

    @property
    def now(self) -> int: ...

    @property
    def creator(self) -> Creator: ...

    @property
    def replaying(self) -> bool: ...

    def get(self, key: str) -> bytes | None:
        """The committed value, or None. Reading a key after writing it is an error of the contract and raises."""

    def expect(self, keys: Sequence[str]) -> None:
        """Tell that each of `keys` is read next, every one of them: a host may fetch them together."""

    def put(self, key: str, value: bytes) -> None: ...

    def delete(self, key: str) -> None: ...

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Committed pairs with start <= key < end, in the order of the keys' UTF-8 bytes; raises in a transaction."""

    def event(self, name: str) -> None:
        """The transaction's one event, a name alone: what it wrote stands beside it. A second one raises."""

    def evidence(self) -> bytes | None:
        """The transient field `evidence`; None when the client sent none, and always when `replaying`."""
