"""What the ledger holds only a digest of: protocols at the hub, reasons at a hospital; and answers to be sent."""

from __future__ import annotations

from django.db import models


class Protocol(models.Model):
    """A research protocol (hub). The ledger names it by `digest`; whoever has the digest may read the text."""

    digest = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
    written = models.DateTimeField(auto_now_add=True)


class Reason(models.Model):
    """Why a hospital decided as it did (hospital). The ledger holds `digest`, the text stays here."""

    digest = models.CharField(max_length=64, primary_key=True)
    request = models.UUIDField()
    dataset = models.CharField(max_length=200)
    version = models.PositiveIntegerField()
    text = models.TextField()
    salt = models.CharField(max_length=64)
    written = models.DateTimeField(auto_now_add=True)


class Check(models.Model):
    """What the rules say about a case (hospital). `ruling`: consent.ruling.Ruling, canonical JSON, made anew when
    anything that it rests on has changed; `earlier`: the verdict before the last change of the verdict.
    """

    request = models.UUIDField()
    dataset = models.CharField(max_length=200)
    version = models.PositiveIntegerField()
    ruling = models.BinaryField()
    earlier = models.CharField(max_length=10, blank=True)
    made = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("request", "dataset", "version"), name="one_check_a_case")]

    def __str__(self) -> str:
        return f"check of {self.request} for {self.dataset}/{self.version}"


class CountAnswer(models.Model):
    """A hospital's one answer to one question (hospital), drawn once and kept before it is sent: a retry says the same.

    `question`: `<dataset>/<version>/<purpose digest>/<month>`. `answer` None once `drawn`: the noised count was below
    the threshold. `sent`: the ledger has taken it; `refusal`: the code with which it would not.
    """

    question = models.CharField(max_length=400, primary_key=True)
    drawn = models.BooleanField(default=False)
    answer = models.IntegerField(null=True)
    sent = models.BooleanField(default=False)
    refusal = models.CharField(max_length=100, blank=True)
