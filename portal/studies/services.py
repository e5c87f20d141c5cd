"""Proposing, approving, starting, stopping and pausing. What is true afterwards is what the ledger's events bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404

from ledger.gateway import Committed
from portal import ledger
from portal.grid import hub
from portal.reactor import selectors as mirror
from portal.studies import cost, plans
from training.federation.vectors import to_bytes
from training.site.code import code_digest

FILES = {"model": "model.safetensors", "certificate": "certificate.json"}
DIGESTS = {"model": "weights", "certificate": "certificate"}  # where the release holds their digests


def plan(answers: Mapping[str, Any], *, request: str, offered: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The plan that these answers make, for the data sets that were chosen and with the code installed here."""
    chosen = [one for one in offered if f"{one['dataset']}@{one['version']}" in answers["datasets"]]
    places = sorted(one["owner"] for one in chosen)
    return plans.build(answers, request=request, datasets=chosen, code=code_digest(), disjoint=cost.disjoint(places))


def propose(*, study: UUID, request: str, offered: Sequence[dict[str, Any]], **answers: Any) -> Committed:
    """Pin the plan on the ledger, with the weights it starts from beside it for the sites to fetch.

    The contract checks the plan against entitlements, data sets and every account's cap.
    """
    made = plan(answers, request=request, offered=offered)
    hub.blobs().put(to_bytes(plans.initial(made["configuration"], answers["seed"])))
    return ledger.submit("researcher", "studies:Propose", {"study": str(study), "plan": made})


def approve(*, study: dict[str, Any], plan_digest: str) -> Committed:
    """Approve exactly the plan with `plan_digest`, and reserve this hospital's budget for it."""
    return ledger.submit("steward", "studies:Approve", {"study": study["study"], "plan_digest": plan_digest})


def start(*, study: dict[str, Any], hold_after: int | None = None) -> None:
    """Ask the hub's worker to run the study, or to go on with it. Asked twice, it runs once.

    `hold_after`: open no training round beyond this one until asked again.
    """
    hub.start_study(study["study"], hold_after)


def stop(*, study: dict[str, Any], reason: str) -> Committed:
    """End the study for good: no round opens any more. What was spent stays spent."""
    return ledger.submit("researcher", "studies:Stop", {"study": study["study"], "reason": reason})


def receive(*, study: dict[str, Any], results: UploadedFile) -> Committed:
    """Say that the results which the study owed this hospital are here. The ledger holds their digest; they stay."""
    named = sha256(b"".join(results.chunks())).hexdigest()
    return ledger.submit("steward", "studies:Receive", {"study": study["study"], "results": named})


def close_out(*, study: dict[str, Any]) -> Committed:
    """Nothing is left to do; the ledger refuses while a hospital is owed results."""
    return ledger.submit("researcher", "studies:CloseOut", {"study": study["study"]})


def settle(*, study: dict[str, Any]) -> Committed:
    """Give back what this hospital reserved for a study that has ended and did not spend."""
    return ledger.submit("steward", "budget:Release", {"study": study["study"]})


def pause(*, paused: bool) -> Committed:
    """Pause or unpause this hospital: while paused it commits no new cohort in any study."""
    return ledger.submit("steward", "studies:Pause", {"paused": paused})


def released_files(study: dict[str, Any]) -> list[str]:
    """Which files of a released study this node holds: `model`, `certificate`."""
    if study["status"] != "released":
        return []
    return [name for name in FILES if stored(study, name).is_file()]


def released_file(study: dict[str, Any], name: str) -> FileResponse:
    """The file, if its bytes have the digest that stands on the ledger; 404 otherwise."""
    if name not in released_files(study):
        raise Http404
    file, release = stored(study, name), mirror.record(f"studies/release/{study['study']}")
    if release is None or sha256(file.read_bytes()).hexdigest() != release[DIGESTS[name]]:
        raise Http404
    return FileResponse(file.open("rb"), as_attachment=True, filename=FILES[name])


def stored(study: dict[str, Any], name: str) -> Path:
    return settings.NODE.data / "studies" / study["study"] / FILES[name]
