"""A network namespace for each hospital, joined by a bridge: machines of their own as far as the network can tell.

A hospital's processes are started inside its namespace and listen on its address alone; unplugging its cable cuts off
all of them, whatever they have open. Needs root and iproute2.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

PORT = 7050  # free in every new namespace


@dataclass(frozen=True, slots=True)
class Lan:
    """`tag` tells this one's devices from those of another run; addresses are of RFC 2544's range for tests."""

    names: tuple[str, ...]
    tag: int

    def host(self, name: str) -> str:
        return f"198.18.{self.tag}.{self.names.index(name) + 1}"

    def inside(self, name: str) -> list[str]:
        """What goes before a command that shall run in the hospital's namespace; it keeps its process number."""
        return ["ip", "netns", "exec", self._namespace(name)]

    def unplug(self, name: str) -> None:
        _ip("link", "set", self._cable(name), "down")

    def plug(self, name: str) -> None:
        _ip("link", "set", self._cable(name), "up")

    def _namespace(self, name: str) -> str:
        return f"covenant-{self.tag}-{name}"

    def _cable(self, name: str) -> str:
        return f"cov{self.tag}-{self.names.index(name) + 1}"


@contextmanager
def laid(names: Sequence[str]) -> Iterator[Lan]:
    """A Lan of hospitals called `names`; its devices are gone afterwards."""
    lan = Lan(tuple(names), random.randrange(1, 255))
    bridge = f"cov{lan.tag}"
    _ip("link", "add", bridge, "type", "bridge")
    try:
        _ip("address", "add", f"198.18.{lan.tag}.254/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for name in lan.names:
            namespace, cable = lan._namespace(name), lan._cable(name)
            _ip("netns", "add", namespace)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace)
            _ip("link", "set", cable, "master", bridge, "up")
            _ip("-n", namespace, "address", "add", f"{lan.host(name)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", namespace, "link", "set", device, "up")
        yield lan
    finally:
        for name in lan.names:
            subprocess.run(["ip", "netns", "delete", lan._namespace(name)], capture_output=True, check=False)
        _ip("link", "delete", bridge)


def allowed() -> bool:
    return os.geteuid() == 0


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True)
