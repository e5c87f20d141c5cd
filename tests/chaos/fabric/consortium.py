"""Four hospitals on a real network, what they do to it, and what must be true of it afterwards."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from ledger import gateway
from ledger.errors import LedgerError
from ledger.identity.ca import Authority
from ledger.identity.msp import Identity
from ledger.network import doctor
from ledger.network.network import Network
from ledger.network.node import Node
from ledger.network.processes import Process
from ledger.protocol.block import header_hash
from tests.chaos.fabric.lan import Lan
from tests.contract.world import HOSPITALS, digest, uuid
from tests.support import fabric

# Seconds in which the others' service, or a hospital's own once started again, must be back: 10 are claimed and held
# under soak, on cores of their own; elsewhere the cores may have other work, and what it took is printed.
RECOVERY = 10.0 if os.environ.get("COVENANT_SOAK") else 60.0
PATIENCE = 9.0  # seconds for one transaction, while things fail: a peer gives an endorser that is silent 5


@dataclass
class Consortium:
    """A running network with the contracts deployed; `hospital` is an MSP id everywhere."""

    network: Network
    lan: Lan
    _doors: dict[tuple[str, tuple[str, ...]], gateway.Gateway] = field(default_factory=dict)

    def node(self, hospital: str) -> Node:
        return self.network.node(name_of(hospital))

    def authority(self, msp: str) -> Authority:
        return Authority.load(self.network.layout.folder(self._organisation(msp)) / "ca")

    def door(self, who: str, endorsing: Sequence[str] = ()) -> gateway.Gateway:
        """The gateway that `who`, "<msp>.<roles>", uses; `endorsing` instead of what its peer plans."""
        key = (who, tuple(endorsing))
        if key not in self._doors:
            msp, _, roles = who.partition(".")
            identity = self.authority(msp).issue(who.lower(), roles.split(",") if roles else [])
            self._doors[key] = self.connect(identity, endorsing)
        return self._doors[key]

    def connect(self, identity: Identity, endorsing: Sequence[str] = (), at: str = "") -> gateway.Gateway:
        return fabric.connect(self.network, at or identity.msp_id, identity, endorsing)

    # what tests.contract.world asks of a ledger

    @property
    def now(self) -> int:
        return int(time.time())

    def submit(self, who: str, function: str, arguments: Any, evidence: Any = None) -> Any:
        """Until every hospital has the block: the next call may go to another one."""
        done = self.door(who).contract.submit(function, arguments, evidence=evidence)
        for hospital in HOSPITALS:
            self.door(f"{hospital}.steward").commit(done.tx_id).status()
        return done.result

    def evaluate(self, who: str, function: str, arguments: Any) -> Any:
        return self.door(who).contract.evaluate(function, arguments)

    # faults

    def kill(self, processes: Sequence[Process]) -> None:
        """End them at one moment, unasked."""
        for each in processes:
            assert each.signal(signal.SIGKILL), each.name
        while any(each.pid for each in processes):
            time.sleep(0.01)

    def restart(self, hospital: str) -> None:
        """Start what does not run of a hospital, and wait until it listens."""
        self.network.start([self.node(hospital)])

    def run_host(self, node: Node, source: Path, config: Path) -> None:
        """Run the contracts in the folder `source` as a hospital's host. Raises NetworkError where it ends at once."""
        (host,) = node.find("host")
        host.start([sys.executable, "-m", "ledger.chaincode", "serve", "--config", str(config)], {}, source)
        node.await_ready(host)

    def called(self, hospital: str) -> None:
        """Return once a hospital's peer answers from its host again."""
        deadline = time.monotonic() + RECOVERY
        while True:
            try:
                alone = self.door(f"{hospital}.steward", [hospital]).contract.proposal("consents:PublishText", text())
                alone.endorse(PATIENCE)
                return
            except LedgerError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def unplug(self, hospital: str) -> None:
        self.lan.unplug(name_of(hospital))

    def plug(self, hospital: str) -> None:
        self.lan.plug(name_of(hospital))

    def leader(self) -> str:
        """The hospital whose orderer leads, as more than half of the orderers say in their own metrics, once they do:
        on a busy machine they may be changing their leader at any time.
        """
        deadline = time.monotonic() + RECOVERY
        while True:
            said = Counter(self.led_by(each) for each in HOSPITALS)
            leader, voices = said.most_common(1)[0]
            if leader is not None and voices > len(HOSPITALS) // 2:
                return leader
            assert time.monotonic() < deadline, said
            time.sleep(0.1)

    def led_by(self, hospital: str) -> str | None:
        """The hospital whose orderer leads, as this hospital's orderer has it; None while it answers nothing."""
        try:
            number = doctor.leader(self.network, self._organisation(hospital))
        except OSError:
            return None
        return next((each.msp for each in self.network.plan.hospitals if each.consenter == number), None)

    def rejoined(self, hospital: str, within: float = 60) -> float:
        """Seconds until a hospital's orderer follows the leader that the others follow: only then does it count."""
        began = time.monotonic()
        while self.led_by(hospital) != self.leader():
            assert time.monotonic() - began < within, f"the orderer of {hospital} follows no leader"
            time.sleep(0.1)
        return time.monotonic() - began

    # what must hold

    def ended(self) -> list[str]:
        """The orderers that ended by themselves, with what they said of it: one that is killed says nothing."""
        logs = [each.log for hospital in HOSPITALS for each in self.node(hospital).find("orderer")]
        lines = [(log, line) for log in logs for line in log.read_text(errors="replace").splitlines()]
        return [f"{log.name}: {line}" for log, line in lines if line.startswith(("panic: ", "fatal error: "))]

    def height(self, hospital: str, *, patiently: bool = False) -> int:
        """How many blocks a hospital's peer has; `patiently`: 0 where it does not answer."""
        try:
            return self.door(f"{hospital}.steward").head().height
        except LedgerError:
            if not patiently:
                raise
            return 0

    def settled(self) -> int:
        """Every peer holds the same blocks: numbers, header hashes, data and flags; their height.

        A new block is written first and awaited everywhere, so that nobody is just a block behind.
        """
        self.submit(f"{HOSPITALS[0]}.steward", "consents:PublishText", text())
        chains = [self._chain(hospital) for hospital in HOSPITALS]
        for other in chains[1:]:
            assert other == chains[0]
        return len(chains[0])

    def _chain(self, hospital: str) -> list[tuple[int, bytes, bytes, bytes]]:
        chain = []
        for data in self.door(f"{hospital}.steward").blocks():
            block = common_pb2.Block.FromString(data)
            head = block.header
            assert sha256(b"".join(block.data.data)).digest() == head.data_hash
            digest_of = header_hash(head.number, head.previous_hash, head.data_hash)
            chain.append((head.number, digest_of, head.data_hash, block.metadata.metadata[2]))
        return chain

    def valid(self, hospital: str) -> dict[str, int]:
        """The valid transactions that a hospital's peer has, by id -> block; none stands twice."""
        found: dict[str, int] = {}
        for data in self.door(f"{hospital}.steward").blocks():
            block = common_pb2.Block.FromString(data)
            for envelope, flag in zip(block.data.data, block.metadata.metadata[2], strict=True):
                payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
                tx_id = common_pb2.ChannelHeader.FromString(payload.header.channel_header).tx_id
                if flag == transaction_pb2.VALID and tx_id:
                    assert tx_id not in found
                    found[tx_id] = block.header.number
        return found

    def close(self) -> None:
        for door in self._doors.values():
            door.close()

    def _organisation(self, msp: str) -> Any:
        return next(each for each in self.network.plan.organisations if each.msp == msp)


class Load:
    """Two writers a hospital, one transaction after another; what was confirmed to them must stand for ever."""

    def __init__(self, consortium: Consortium, hospitals: Sequence[str] = HOSPITALS, writers: int = 2) -> None:
        self.confirmed: dict[str, int] = {}  # transaction id -> block
        self.begun: dict[str, float] = dict.fromkeys(hospitals, 0.0)  # when the newest confirmed one was begun
        self.seconds: dict[str, list[float]] = {each: [] for each in hospitals}
        self._consortium, self._stop, self._lock = consortium, threading.Event(), threading.Lock()
        self._pool = ThreadPoolExecutor(writers * len(hospitals))
        self._running = [self._pool.submit(self._write, each) for each in hospitals for _ in range(writers)]

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for each in self._running:
            each.result(60)
        self._pool.shutdown()

    def back(self, hospitals: Sequence[str], since: float, within: float = RECOVERY) -> float:
        """Seconds from `since` until each of `hospitals` had a transaction confirmed that began later."""
        while any(self.begun[each] < since for each in hospitals):
            waited = time.monotonic() - since
            late = [each for each in hospitals if self.begun[each] < since]
            told = f"{', '.join(late)} had no transaction confirmed in {waited:.1f} s"
            assert waited < within, "; ".join([told, *self._consortium.ended()])
            time.sleep(0.02)
        return time.monotonic() - since

    def _write(self, hospital: str) -> None:
        door = self._consortium.door(f"{hospital}.steward")
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                done = door.contract.submit("consents:PublishText", text(), timeout=PATIENCE)
            except (LedgerError, grpc.RpcError):
                time.sleep(0.05)  # not confirmed: nothing is claimed of it
                continue
            with self._lock:
                self.confirmed[done.tx_id] = done.block
                self.begun[hospital] = max(self.begun[hospital], began)
                self.seconds[hospital].append(time.monotonic() - began)


def others(hospital: str) -> list[str]:
    return [each for each in HOSPITALS if each != hospital]


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def text() -> dict[str, Any]:
    """The arguments of a small write: a consent text of a new name."""
    name = f"text-{uuid()[:13]}"
    return {"text": name, "digests": {"en": digest(name)}, "presets": ["cancer"]}


def name_of(msp: str) -> str:
    return msp.removesuffix("MSP").lower()
