"""Proposing, approving, starting, stopping and pausing. What is true afterwards is what the ledger's events bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, Http404

from ledger.gateway import Committed
from portal import bundle, ledger
from portal.grid import hub
from portal.reactor import selectors as mirror
from portal.studies import cost, plans
from training.federation.vectors import to_bytes
from training.site.code import code_digest

FILES = dict(zip(("model", "certificate", "card"), bundle.FILES, strict=True))
BUNDLE = "bundle"
LABELS = {
    "model": "Model (safetensors)",
    "certificate": "Certificate (JSON)",
    "card": "Model card (Markdown)",
    BUNDLE: "All three (ZIP)",
}


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


def released_files(study: dict[str, Any]) -> dict[str, str]:
    """Which files of a released study this node holds, by name: its words. `bundle` where it holds all."""
    if study["status"] != "released":
        return {}
    held = [name for name in FILES if stored(study, name).is_file()]
    return {name: LABELS[name] for name in (*held, *([BUNDLE] if len(held) == len(FILES) else []))}


def released_file(study: dict[str, Any], name: str) -> FileResponse:
    """The file, or all in one, if each has the digest that the hospitals signed; 404 otherwise."""
    if name not in released_files(study):
        raise Http404
    if name != BUNDLE:
        return FileResponse(BytesIO(signed(study, name)), as_attachment=True, filename=FILES[name])
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:  # uncompressed: weights do not get smaller
        for each, file in FILES.items():
            archive.writestr(file, signed(study, each))
    packed.seek(0)
    return FileResponse(packed, as_attachment=True, filename=f"study-{study['study']}.zip")


def signed(study: dict[str, Any], name: str) -> bytes:
    """The bytes of a released file; raises Http404 where they are not those that stand on the ledger.

    The release names the digests of certificate and weights, the certificate that of the card.
    """
    release, data = mirror.record(f"studies/release/{study['study']}"), stored(study, name).read_bytes()
    if release is None:
        raise Http404
    match name:
        case "model":
            expected = release["weights"]
        case "certificate":
            expected = release["certificate"]
        case _:
            expected = bundle.opened(signed(study, "certificate"))["card"]
    if sha256(data).hexdigest() != expected:
        raise Http404
    return data


def stored(study: dict[str, Any], name: str) -> Path:
    return settings.NODE.data / "studies" / study["study"] / FILES[name]
