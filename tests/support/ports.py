"""Ports for a Fabric network of a test."""

from __future__ import annotations

import random
import socket

from ledger.network.plan import STRIDE


def free_ports(organisations: int) -> int:
    """The first of enough free ports for so many organisations, below those that the kernel gives to clients."""
    wanted = STRIDE * organisations
    while True:
        first = random.randrange(12_000, 32_000 - wanted)
        if all(free(port) for port in range(first, first + wanted)):
            return first


def free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
