"""Follows the ledger while the study runs, as its auditor: rounds, each hospital's progress, epsilon so far."""

from __future__ import annotations

import json
import threading
from typing import Any

from ledger.gateway import Events, Gateway
from portal import config
from portal import ledger as portal_ledger
from portal.demo.layout import HOSPITALS, HUB, Layout
from training.privacy.accountants import rdp_epsilon
from training.privacy.events import Event, Gaussian, PoissonSampledGaussian


class Watch:
    """What one study's events say so far. Started, it follows in a thread until `close`."""

    def __init__(self, layout: Layout, study: str) -> None:
        node = config.load(layout.config(HUB))
        self.gateway: Gateway = portal_ledger.dial(node, "auditor", node.ledger)
        self.study = study
        self.plan: dict[str, Any] = {}
        self.round = self.attempt = self.closed = self.transactions = 0
        self.phase: dict[str, str] = {}
        self.updates: dict[str, int] = {}
        self.measures: dict[str, int] = {}
        self.released = False
        self.stopped = False
        self.events: Events = self.gateway.contract.events()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self) -> None:
        with self.events as events:
            for event in events:
                self.transactions += 1
                for key, record in json.loads(event.payload)["records"].items():
                    if f"/{self.study}" in key and record is not None:
                        self.see(key, record)

    def see(self, key: str, record: dict[str, Any]) -> None:
        kind, _, rest = key.removeprefix("studies/").partition("/")
        msp = rest.rpartition("/")[2]
        if kind == "study":
            self.plan = record["plan"]
            self.released = record["status"] == "released"
            self.stopped = record["status"] == "stopped"
        elif kind == "round":
            self.see_round(record)
        elif kind == "cohort":
            self.phase[msp] = "declined" if record["root"] is None else "cohort committed"
        elif kind == "update":
            self.phase[msp] = "update released"
            self.updates[msp] = self.updates.get(msp, 0) + 1
        elif kind == "measurement":
            self.phase[msp] = "accuracy released"
            self.measures[msp] = self.measures.get(msp, 0) + 1

    def see_round(self, record: dict[str, Any]) -> None:
        if (record["round"], record["attempt"]) != (self.round, self.attempt):
            self.round, self.attempt = record["round"], record["attempt"]
            self.phase = {site.msp: "waiting" for site in HOSPITALS}
        if record["status"] == "closed":
            self.closed = max(self.closed, record["round"])

    @property
    def epsilon(self) -> float:
        """Epsilon so far at the plan's delta, of the hospital that released most (RDP)."""
        if not self.plan:
            return 0.0
        privacy, metric = self.plan["privacy"], float(self.plan["metrics"]["sigma"])
        spent = 0.0
        for msp, rounds in list(self.updates.items()):
            steps = privacy["steps"] * rounds
            events: list[Event] = [PoissonSampledGaussian(float(privacy["sigma"]), float(privacy["q"]), steps)]
            events += [Gaussian(metric)] * self.measures.get(msp, 0)
            spent = max(spent, rdp_epsilon(events, float(privacy["delta"])))
        return spent

    def close(self) -> None:
        self.events.close()
        self.gateway.close()
