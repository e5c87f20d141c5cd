"""What must be true of a study that was killed and went on, read from the verified export and from what sites kept.

aftermath = Aftermath(stack, tmp_path / "ledger.blocks")      # the whole chain verifies, or this raises
aftermath.check()
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from ledger.contracts import rdp, reservations
from ledger.contracts.plans import Plan
from ledger.gateway import connect
from ledger.identity.msp import Identity
from ledger.verify import Ledger, export, verify
from portal import bundle
from portal.demo.layout import HOSPITALS, HUB
from portal.records import Verified
from tests.support.stack import Stack
from training.federation.chain import Chain, MemoryVectors
from training.federation.studies import Studies
from training.federation.vectors import digest, from_bytes, to_bytes

COMMITTED = re.compile(r'\{.*"event": "committed".*\}')


class Aftermath:
    """One study's records in the chain, and the sites' folders."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack, self.study = stack, stack.choices.study
        self.confirmed = list(confirmed(stack.layout.logs))  # before the export: the sites go on acknowledging
        address = json.loads((stack.layout.ledger / "address.json").read_text())
        auditor = Identity.load(stack.layout.node(HUB) / "identities" / "auditor")
        place = f"{address['host']}:{address['port']}"
        with connect(place, Path(address["tls_ca"]).read_bytes(), auditor) as gateway:
            export(gateway, file)
        self.ledger: Ledger = verify(file, (stack.layout.ledger / "genesis.sha256").read_text().strip())

    def check(self) -> None:
        self.rounds_closed_once()
        self.spent_is_what_was_released()
        self.models_are_what_the_updates_give()
        self.nothing_was_trained_twice()
        self.nothing_confirmed_is_lost()

    def records(self, kind: str) -> dict[str, Any]:
        return dict(self.ledger.records(f"studies/{kind}/{self.study}/"))

    @property
    def closed(self) -> dict[int, dict[str, Any]]:
        return {one["round"]: one for one in self.records("round").values() if one["status"] == "closed"}

    def given(self, kind: str, one: dict[str, Any]) -> dict[str, Any]:
        """Each site's update or measurement of an attempt."""
        place = f"studies/{kind}/{self.study}/{one['round']}/{one['attempt']}/"
        return {key.rpartition("/")[2]: record for key, record in self.ledger.records(place)}

    def rounds_closed_once(self) -> None:
        """Every round, training and evaluation, is closed exactly once, with each fixed site; the study is released."""
        attempts = list(self.records("round").values())
        assert {one["status"] for one in attempts} <= {"closed", "aborted"}
        assert sorted(one["round"] for one in attempts if one["status"] == "closed") == sorted(self.closed)
        assert sorted(self.closed) == list(range(1, self.stack.choices.rounds + 2))
        for one in self.closed.values():
            kind = "update" if one["kind"] == "training" else "measurement"
            assert sorted(self.given(kind, one)) == sorted(one["sites"])
        assert self.ledger.state(f"studies/study/{self.study}")["status"] == "released"

    def spent_is_what_was_released(self) -> None:
        """Each account holds one event for each update and measurement, aborted attempts' too: no more."""
        plan = msgspec.convert(self.ledger.state(f"studies/study/{self.study}")["plan"], Plan)
        for site in HOSPITALS:
            counts = [
                sum(key.endswith(f"/{site.msp}") for key in self.records(kind)) for kind in ("update", "measurement")
            ]
            spent = rdp.read(self.ledger.state(f"budget/account/{site.msp}")["spent"])
            assert spent == reservations.whole(plan, *counts), site.name

    def models_are_what_the_updates_give(self) -> None:
        """Every round's model, recomputed from the very bytes that the sites kept; all confirmed the last one, and it
        is what was released.
        """
        vectors = MemoryVectors()
        for site in HOSPITALS:
            data = self.stack.layout.node(site) / "data"
            results = [*data.glob(f"attempts/{self.study}/*-training/result"), *data.glob("models/*.f32")]
            for file in results:
                vectors.put(from_bytes(file.read_bytes()))
        studies = Studies(Verified(self.ledger, self.ledger.height))
        final = Chain(studies, Kept(vectors), MemoryVectors()).final(studies.study(self.study))
        release = self.ledger.state(f"studies/release/{self.study}")
        assert release["model"] == digest(final)
        assert {one["model"] for one in self.records("confirmation").values()} == {release["model"]}
        folder = self.stack.layout.node(HUB) / "data" / "studies" / self.study
        for name, key in (("model.safetensors", "weights"), ("certificate.json", "certificate")):
            assert sha256((folder / name).read_bytes()).hexdigest() == release[key]
        assert bundle.check(bundle.read(folder), self.ledger).facts["study"] == self.study

    def nothing_was_trained_twice(self) -> None:
        """Whatever a site began has a result and an update on the ledger, or belongs to an attempt that was given up;
        and no update is without its result.
        """
        rounds = self.records("round")
        for site in HOSPITALS:
            kept = self.stack.layout.node(site) / "data" / "attempts" / self.study
            folders = [begun.parent for begun in kept.glob("*-training/begun")]  # a tally alone began nothing
            assert folders
            for folder in folders:
                number, attempt, _ = folder.name.split("-")
                place = f"{self.study}/{number}/{attempt}"
                updated = self.ledger.state(f"studies/update/{place}/{site.msp}") is not None
                trained = (folder / "result").exists()
                assert trained or not updated, f"{site.name}, {folder.name}"
                given_up = rounds[f"studies/round/{place}"]["status"] == "aborted"
                assert (trained and updated) or given_up, f"{site.name}, {folder.name}"

    def nothing_confirmed_is_lost(self) -> None:
        """Every transaction that any process was told to be committed stands in the block it was told."""
        for said in self.confirmed:
            assert (place := self.ledger.transaction(said["tx_id"])) and place[0] == said["block"], said
        assert len(self.confirmed) > len(self.records("update"))


def confirmed(logs: Path) -> Iterator[dict[str, Any]]:
    """What the processes that log there were told to be committed."""
    for file in logs.glob("*.log"):
        yield from map(json.loads, COMMITTED.findall(file.read_text(errors="replace")))


@dataclass(frozen=True)
class Kept:
    """What the sites kept, by digest, in place of the broker's copies."""

    vectors: MemoryVectors

    def get(self, name: str) -> bytes:
        vector = self.vectors.get(name)
        assert vector is not None, f"no site kept {name}"
        return to_bytes(vector)

    def put(self, data: bytes) -> str:
        raise AssertionError("nothing is written while checking")
