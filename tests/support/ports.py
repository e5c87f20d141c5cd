"""Ports for the demos and Fabric networks of tests: below those that the kernel gives to clients, so that none is taken
between looking and listening; and tests that run beside each other look in different places.
"""

from __future__ import annotations

import os
import random
import socket

from ledger.network.plan import STRIDE

FIRST, LAST = 12_000, 32_000
WORKERS = 4  # that pytest -n may have


def block(size: int) -> int:
    """The first of `size` free ports in a row on loopback."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    share = (LAST - FIRST) // WORKERS
    while True:
        first = FIRST + worker * share + random.randrange(share - size)
        if all(free(port) for port in range(first, first + size)):
            return first


def free_ports(organisations: int) -> int:
    """The first of enough free ports for the Fabric network of so many organisations."""
    return block(STRIDE * organisations)


def free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
