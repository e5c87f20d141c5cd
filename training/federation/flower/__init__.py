"""Flower, behind one door: the only package that imports flwr. Its messages, apps and strategy; our Grid and our rules.

Flower by itself fails open (a run in which every client failed still ends with the initial model) and averages by what
the clients claim. So here the strategy demands a reply of every site and averages with the plan's public weights, in
double precision, in the order of the sites; and the Grid has deadlines and sends again.

    grid = TransportGrid(transport, blobs, ["ClevelandMSP", "HungaryMSP"])
    federation = FlowerFederation(grid)          # what rounds.StudyRunner asks
    server_app(lambda grid, context: runner.run(study))(grid, context())

A message in transit carries one ConfigRecord; its array travels beside it, by digest.
"""

from __future__ import annotations

import os

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # before flwr is imported: it reads this at import

from training.federation.flower.apps import client_app, context, deliver, server_app
from training.federation.flower.federation import FlowerFederation
from training.federation.flower.grid import TransportGrid
from training.federation.flower.wire import unpack

__all__ = ["FlowerFederation", "TransportGrid", "client_app", "context", "deliver", "server_app", "unpack"]
