"""A served embedded ledger as tests.contract.world.World wants it: a connection for each role, killed or not."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.embedded.process import Process
from ledger.gateway import Committed, Gateway, connect
from ledger.identity.ca import Authority


@dataclass
class Doors:
    """The ledger in `directory`; `last` is the last write's Committed. Restarted, it is at the same address."""

    directory: Path
    authorities: dict[str, Authority]
    process: Process
    doors: dict[str, Gateway] = field(default_factory=dict)
    last: Committed | None = None

    @property
    def now(self) -> int:
        return int(time.time())

    def door(self, who: str) -> Gateway:
        """What `who`, "<msp>.<role>", speaks through."""
        if who not in self.doors:
            msp, _, role = who.partition(".")
            identity = self.authorities[msp].issue(who.lower(), [role])
            self.doors[who] = connect(self.process.address, self.process.tls_ca, identity)
        return self.doors[who]

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        self.last = self.door(who).contract.submit(function, arguments, evidence=evidence)
        return self.last.result

    def evaluate(self, who: str, function: str, arguments: Any) -> Any:
        return self.door(who).contract.evaluate(function, arguments)

    def restart(self) -> None:
        self.process.kill()
        self.close()
        self.process = Process.start(self.directory)

    def close(self) -> None:
        for door in self.doors.values():
            door.close()
        self.doors.clear()
