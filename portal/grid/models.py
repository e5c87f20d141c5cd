"""Which studies the hub was asked to run, who runs each now, and how it ended."""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    QUEUED = "queued", "waiting for the worker"
    RUNNING = "running", "running"
    HELD = "held", "held by the researcher"
    FINISHED = "finished", "finished"
    FAILED = "failed", "failed"


class StudyRun(models.Model):
    """One study's run. `holder`, `held_until`: the lease; one process at a time. `reason`, `message`: why it failed.

    `hold_after`: the training round after which no further one is opened until the researcher goes on.
    """

    study = models.UUIDField(primary_key=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    reason = models.CharField(max_length=64, blank=True)
    message = models.TextField(blank=True)
    holder = models.CharField(max_length=128, blank=True)
    held_until = models.DateTimeField(null=True)
    hold_after = models.PositiveIntegerField(null=True)
    tries = models.PositiveIntegerField(default=0)
    asked = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-asked",)

    def __str__(self) -> str:
        return f"run of study {self.study}"
