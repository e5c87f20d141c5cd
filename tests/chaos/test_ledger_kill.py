"""Killed with -9 at any moment under load, the ledger starts again with a chain that verifies and has lost nothing.

A client counts a transaction only when CommitStatus has said VALID; what was counted must stand after every restart.
"""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from fabric_protos.peer import transaction_pb2

from ledger.errors import LedgerError
from ledger.identity.checking import check_transaction
from ledger.identity.validation import Validator
from ledger.protocol import block, genesis
from ledger.protocol.envelope import open_envelope
from ledger.verify.export import export
from ledger.verify.verification import verify
from tests.unit.ledger.embedded.harness import Server, found, members
from tests.unit.ledger.embedded.wire import TEXT

KILLS = 60 if os.environ.get("COVENANT_SOAK") else 5
WRITERS = 4

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


class Load:
    """Writers that publish texts of ever new names, and remember those that were confirmed."""

    def __init__(self, server: Server) -> None:
        self._server, self._stop, self._lock = server, threading.Event(), threading.Lock()
        self.confirmed: dict[str, int] = {}  # transaction id -> block
        self._pool = ThreadPoolExecutor(WRITERS)
        self._running = [self._pool.submit(self._write, number) for number in range(WRITERS)]

    def _write(self, number: int) -> None:
        with self._server.connect() as door:
            count = 0
            while not self._stop.is_set():
                count += 1
                name = f"w{number}-{self._server.process.popen.pid}-{count}"
                try:
                    done = door.contract.submit("consents:PublishText", {"text": name, **TEXT}, timeout=2)
                except (LedgerError, grpc.RpcError):
                    continue  # killed: this one was not confirmed
                with self._lock:
                    self.confirmed[done.tx_id] = done.block

    def begun(self) -> None:
        """Return once a transaction was confirmed: from then on it is under load."""
        deadline = time.monotonic() + 60
        while not self.confirmed:
            assert time.monotonic() < deadline, "nothing is confirmed"
            time.sleep(0.01)

    def end(self) -> dict[str, int]:
        self._stop.set()
        for each in self._running:
            each.result(60)
        self._pool.shutdown()
        return self.confirmed


def standing(server: Server) -> dict[str, int]:
    """Valid transactions by id -> block, of a chain whose every link and signature has been checked."""
    with server.connect() as door:
        first, *rest = door.blocks()
    config = genesis.read(first)
    assert config.digest == server.genesis
    validator, previous, valid = Validator(config.organisations), block.open_block(first).hash, {}
    for number, data in enumerate(rest, 1):
        read = block.open_block(data)
        assert (read.number, read.previous_hash) == (number, previous)
        for envelope, flag in zip(read.envelopes, read.flags, strict=True):
            transaction = open_envelope(envelope)
            check_transaction(validator, transaction, config.endorsement)
            if flag == transaction_pb2.VALID:
                assert transaction.heading.tx_id not in valid
                valid[transaction.heading.tx_id] = number
        previous = read.hash
    return valid


def test_killed_at_any_moment_nothing_confirmed_is_lost(tmp_path):
    seed = int(os.environ.get("COVENANT_SEED", time.time_ns() % 2**32))
    print(f"seed {seed}, {KILLS} kills")
    moments = random.Random(seed)
    server = found(tmp_path / "ledger")
    server.start()
    confirmed: dict[str, int] = {}
    try:
        with server.connect() as door:
            door.contract.submit("members:Found", members())
        for _ in range(KILLS):
            load = Load(server)
            load.begun()
            time.sleep(moments.uniform(0, 1.0))
            server.process.kill()
            confirmed |= load.end()
            server.start()
            valid = standing(server)
            assert confirmed.items() <= valid.items()
        assert len(confirmed) >= KILLS
        with server.connect() as door:
            done = door.contract.submit("consents:PublishText", {"text": "after", **TEXT})
            assert door.commit(done.tx_id).status().valid
            for tx_id, number in random.Random(seed).sample(sorted(confirmed.items()), 5):
                status = door.commit(tx_id).status()
                assert (status.valid, status.block) == (True, number)
            export(door, tmp_path / "ledger.blocks")
            head = door.head()
        verify(tmp_path / "ledger.blocks", server.genesis, heads=[(head.height, head.hash.hex())])
    finally:
        server.stop()


def test_asked_to_stop_it_writes_what_it_has_taken(tmp_path):
    server = found(tmp_path / "ledger")
    server.start()
    try:
        with server.connect() as door:
            door.contract.submit("members:Found", members())
        load = Load(server)
        load.begun()
        assert server.process.stop() == 0
        assert not (server.directory / "address.json").exists()
        confirmed = load.end()
        server.start()
        assert confirmed.items() <= standing(server).items()
    finally:
        server.stop()
