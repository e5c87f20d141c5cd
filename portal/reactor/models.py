"""The mirror (state as it stands), the log (events as they came) and how far both reach."""

from __future__ import annotations

from django.db import models


class Record(models.Model):
    """One value of the ledger's state, under its key: `consents/<commitment>`, `studies/round/...`."""

    key = models.CharField(max_length=255, unique=True)
    body = models.JSONField()
    block = models.PositiveBigIntegerField()
    tx_id = models.CharField(max_length=64)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key


class Event(models.Model):
    """One committed transaction's event. `time`: the transaction's own time, where the ledger's client tells it."""

    block = models.PositiveBigIntegerField()
    index = models.PositiveIntegerField()
    tx_id = models.CharField(max_length=64)
    name = models.CharField(max_length=64, db_index=True)
    body = models.JSONField()
    time = models.DateTimeField(null=True)
    seen = models.DateTimeField(auto_now_add=True)  # when this node learned of it

    class Meta:
        ordering = ("block", "index")
        constraints = [models.UniqueConstraint(fields=("block", "index"), name="one_event_a_place")]

    def __str__(self) -> str:
        return f"{self.name} in block {self.block}"


class Position(models.Model):
    """How far the projection reaches: the place of the last event in it. One row."""

    ONLY = 1
    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    block = models.PositiveBigIntegerField(default=0)
    index = models.IntegerField(default=-1)  # -1: nothing of that block yet
    tx_id = models.CharField(max_length=64, blank=True)  # tells another ledger from this one
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_position")]

    def __str__(self) -> str:
        return f"block {self.block}, transaction {self.index}"


class Witness(models.Model):
    """The newest block this node has seen: the ledger's number of blocks then, and that block's header hash. One row.

    It only ever grows, and a rebuild of the projection leaves it alone.
    """

    ONLY = 1
    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    height = models.PositiveBigIntegerField(default=0)
    header_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_witness")]

    def __str__(self) -> str:
        return f"{self.height}:{self.header_hash}"
