"""Registering and retiring data sets, opening the hospital's account, asking for counts: all through the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.conf import settings

from consent.purpose import Purpose
from consent.terms import Condition
from ledger.errors import Refused
from ledger.gateway import Committed
from portal import ledger
from portal.catalogue import manifests, selectors
from portal.catalogue.models import Source


def register(
    *,
    file: str,
    slug: str,
    title: str,
    permission: str,
    diseases: list[str],
    modifiers: list[str],
    conditions: list[Condition],
    seed: int,
) -> Committed:
    """Register a file of this node as the next version of `slug`; the records stay where they are.

    Raises DataRefused `data.*` naming line and column, and the contract's refusals.
    """
    manifest = manifests.of(file)
    dataset = f"{settings.NODE.msp}/{slug}"
    before = next((one for one in selectors.datasets(settings.NODE.msp) if one["dataset"] == dataset), None)
    version: dict[str, Any] = {
        "dataset": dataset,
        "version": before["version"] + 1 if before else 1,
        "title": title,
        "root": manifest.root,
        "raw": manifest.raw,
        "parent": {"dataset": dataset, "version": before["version"]} if before else None,
        "transformation": manifest.transformation,
        "schema": manifest.schema,
        "duo": sorted({permission, *modifiers}),
        "diseases": sorted(diseases),
        "conditions": conditions,
        "modality": manifest.modality,
        "categories": list(manifest.categories),
        "size_bucket": manifest.size_bucket,
        "records_per_patient": manifest.records_per_patient,
        "unit": manifest.unit,
    }
    version["croissant"] = manifests.describe(version)
    return send(version, Source(dataset=dataset, version=version["version"], file=file, raw=manifest.raw, seed=seed))


def send(version: dict[str, Any], source: Source) -> Committed:
    """The source is kept first: a version on the ledger whose records nobody finds could not be trained on."""
    kept, _ = Source.objects.update_or_create(
        dataset=source.dataset,
        version=source.version,
        defaults={"file": source.file, "raw": source.raw, "seed": source.seed},
    )
    try:
        return ledger.submit("steward", "catalogue:Register", version)
    except Refused:
        kept.delete()
        raise


def retire(*, dataset: str, version: int) -> Committed:
    """No new study can use this version; what runs goes on."""
    return ledger.submit("steward", "catalogue:Retire", {"dataset": dataset, "version": version})


def open_account(*, cap: Decimal, delta: Decimal) -> Committed:
    """Open the hospital's privacy account. Its delta is fixed for ever, its cap changes only by a vote."""
    return ledger.submit("steward", "budget:Open", {"cap": plain(cap), "delta": plain(delta)})


def ask_for_count(*, dataset: str, version: int, purpose: Purpose) -> Committed:
    """Ask how many patients fit `purpose`: the hospital answers once a month, with noise."""
    return ledger.submit("researcher", "access:Inquire", {"dataset": dataset, "version": version, "purpose": purpose})


def plain(number: Decimal) -> str:
    return format(number.normalize(), "f")
