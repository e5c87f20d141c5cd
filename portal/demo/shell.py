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
        self.site = site
        argv, env = [sys.executable, "-m", "portal.demo.node"], {**os.environ, VARIABLE: str(config)}
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        self.stdin, self.stdout = os.fdopen(ours_in, "w"), os.fdopen(ours_out)
        self.child: subprocess.Popen[bytes] | Child
        with os.fdopen(theirs_in), os.fdopen(theirs_out, "w"), log.open("ab") as errors:
            if nursery is not None:
                self.child = nursery.start(f"{site.name}-setup", argv, env, (theirs_in, theirs_out, errors.fileno()))
            else:
                self.child = subprocess.Popen(
                    argv, env=env, stdin=theirs_in, stdout=theirs_out, stderr=errors, start_new_session=True
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
        with suppress(BrokenPipeError):
            self.stdin.close()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.stdout.close()


class Shells:
    """All five, asked side by side."""

    def __init__(self, layout: Layout, nursery: Nursery | None = None) -> None:
        self.by_name = {
            site.name: Shell(site, layout.config(site), layout.logs / f"{site.name}-setup.log", nursery)
            for site in SITES
        }
        self.pool = ThreadPoolExecutor(len(SITES))

    def __enter__(self) -> Shells:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for shell in self.by_name.values():
            shell.close()
        self.pool.shutdown(cancel_futures=True)

    def ask(self, name: str, action: str, **arguments: Any) -> Any:
        return self.by_name[name].ask(action, **arguments)

    def ask_hospitals(self, action: str, **arguments: Any) -> dict[str, Any]:
        """The same action at every hospital at once: results by the hospital's name."""
        hospitals = [name for name in self.by_name if name != "hub"]
        answers = self.pool.map(lambda name: self.ask(name, action, **arguments), hospitals)
        return dict(zip(hospitals, answers, strict=True))
