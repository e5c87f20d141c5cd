"""The demo's side of portal.demo.node: one process a node while the consortium, consents and access are set up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from portal.config import VARIABLE
from portal.demo.layout import SITES, Layout, Site
from portal.demo.nursery import Child, Nursery
from portal.errors import PortalError


class Shell:
    """One node's process, asked one thing at a time. It ends when its input does, so it never outlives the demo."""

    def __init__(self, site: Site, config: Path, log: Path, nursery: Nursery | None = None) -> None:
        self.site, self.log, self.nursery = site, log, nursery
        self.env = {**os.environ, VARIABLE: str(config)}
        self.child: subprocess.Popen[bytes] | Child | None = None

    def begin(self) -> None:
        """Start the process, unless it runs: from the main thread, which it dies with."""
        if self.child is not None:
            return
        argv = [sys.executable, "-m", "portal.demo.node"]
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self.stdin, self.stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)
        with os.fdopen(theirs_in), os.fdopen(theirs_out, "w"), self.log.open("ab") as errors:
            if self.nursery is not None:
                files = (theirs_in, theirs_out, errors.fileno())
                self.child = self.nursery.start(f"{self.site.name}-setup", argv, self.env, files)
            else:
                self.child = subprocess.Popen(
                    argv, env=self.env, stdin=theirs_in, stdout=theirs_out, stderr=errors, start_new_session=True
                )

    def ask(self, action: str, **arguments: Any) -> Any:
        """The action's result. Raises PortalError with the node's own code, or `demo.node-ended`."""
        try:
            self.stdin.write(json.dumps({"action": action, "arguments": arguments}) + "\n")
            self.stdin.flush()
            answer = json.loads(self.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            reason = f"the process of {self.site.name} ended during {action}; its log is {self.site.name}-setup.log"
            raise PortalError("demo.node-ended", reason) from None
        if not answer["ok"]:
            raise PortalError(answer["code"], f"{self.site.name}, {action}: {answer['message']}")
        return answer["result"]

    def close(self) -> None:
        """End the process, if it runs; it may begin again."""
        if self.child is None:
            return
        with suppress(BrokenPipeError):
            self.stdin.close()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.stdout.close()
        self.child = None


class Shells:
    """All five, asked side by side."""

    def __init__(self, layout: Layout, nursery: Nursery | None = None) -> None:
        self.by_name = {
            site.name: Shell(site, layout.config(site), layout.logs / f"{site.name}-setup.log", nursery)
            for site in SITES
        }
        for shell in self.by_name.values():
            shell.begin()
        self.pool = ThreadPoolExecutor(len(SITES))

    def __enter__(self) -> Shells:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()
        self.pool.shutdown(cancel_futures=True)

    def rest(self) -> None:
        """End all five until they are asked again: each holds as much memory as a node's pages do."""
        for shell in self.by_name.values():
            shell.close()

    def ask(self, name: str, action: str, **arguments: Any) -> Any:
        self.by_name[name].begin()
        return self.by_name[name].ask(action, **arguments)

    def ask_hospitals(self, action: str, **arguments: Any) -> dict[str, Any]:
        """The same action at every hospital at once: results by the hospital's name."""
        hospitals = [name for name in self.by_name if name != "hub"]
        for name in hospitals:
            self.by_name[name].begin()
        answers = self.pool.map(lambda name: self.by_name[name].ask(action, **arguments), hospitals)
        return dict(zip(hospitals, answers, strict=True))
