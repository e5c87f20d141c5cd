"""The small consortium of tests.support.federation on a real chain: every call is a signed, endorsed, ordered block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from consent import canonical
from ledger.protocol.block import open_block
from ledger.protocol.envelope import open_envelope
from tests.support.federation import START, World
from tests.support.memory_ledger import MemoryLedger, MemoryView
from tests.unit.ledger.verify.forge import Forge
from training.federation.release import Head, Package, package
from training.federation.studies import Study
from training.federation.vectors import Vector


class ForgedLedger(MemoryLedger):
    """A MemoryLedger whose blocks can be exported and verified. Number of the last block: `height`."""

    def __init__(self, clock: Callable[[], float], hospitals: Sequence[str]) -> None:
        super().__init__(clock, hospitals)
        self.forge = Forge(
            hospitals=self.hospitals,
            institute_roles=("auditor", "researcher", "runner"),
            at=datetime.fromtimestamp(START - 7200, UTC),
        )

    def submit(
        self, org: str, role: str, function: str, arguments: Mapping[str, Any], evidence: object | None = None
    ) -> tuple[Any, int]:
        self.forge.now = int(self.clock()) - 1  # it counts one on
        self.calls.append(function)
        data = self.forge.transact(self.forge.client(role, org), function, dict(arguments), evidence)
        self.forge.seal(data)
        self.height += 1
        done = open_envelope(data)
        for key, value in done.rwset.writes:
            assert value is not None
            self.state[key], self.blocks[key] = value, self.height
        return canonical.decode(done.response), self.height


class ForgedView(MemoryView):
    """With the header hashes of the chain."""

    def __init__(self, ledger: MemoryLedger, forge: Forge) -> None:
        super().__init__(ledger)
        self._forge = forge

    def header_hash(self, height: int) -> str | None:
        blocks = self._forge.blocks
        return open_block(blocks[height - 1]).hash.hex() if 1 <= height <= len(blocks) else None


class ForgedWorld(World):
    """A World on a ForgedLedger. `released`: what was packaged, by study."""

    released: dict[str, Package]

    def new_ledger(self, hospitals: Sequence[str]) -> MemoryLedger:
        self.released = {}
        ledger = ForgedLedger(lambda: self.now, hospitals)
        self.forge = ledger.forge
        return ledger

    def new_view(self) -> MemoryView:
        return ForgedView(self.ledger, self.forge)

    def certify(self, study: Study, model: Vector) -> bytes:
        if study.study not in self.released:
            self.released[study.study] = package(self.view, study, model, self.head())
        return self.released[study.study].certificate

    def head(self) -> Head:
        """Of the chain as it is now."""
        return Head(len(self.forge.blocks), self.forge.hash.hex())

    def release(self, study: str) -> None:
        """Release what the sites have confirmed, as the hub does."""
        made = self.released[study]
        digests = {"model": made.model, "weights": made.weights_digest, "certificate": made.certificate_digest}
        self.run("runner", "studies:Release", {"study": study, **digests})
