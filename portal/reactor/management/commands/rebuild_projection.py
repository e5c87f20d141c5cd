"""`python -m portal.manage rebuild_projection`: forget this node's mirror of the ledger and replay it from block 0."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from portal.reactor.follow import rebuild


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"replayed {rebuild()} events")
