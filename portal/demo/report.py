"""What the demo leaves behind: files, checked offline, and the table at its end."""

from __future__ import annotations

import json
import math
from collections import Counter
from shutil import copyfile
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from consent.errors import CovenantError
from ledger.verify import Ledger, claims, export, verify
from portal import bundle
from portal.demo.layout import HOSPITALS, HUB, SITES, Choices, Layout
from portal.demo.watch import Watch
from portal.errors import PortalError


def collect(layout: Layout, choices: Choices, watch: Watch) -> Ledger:
    """Copy what was released, export the ledger, and verify all that an auditor or a patient would: offline."""
    out = layout.out
    out.mkdir(parents=True, exist_ok=True)
    released = layout.node(HUB) / "data" / "studies" / choices.study
    for name in bundle.FILES:
        copyfile(released / name, out / name)
    genesis = (layout.ledger / "genesis.sha256").read_text().strip()
    (out / "genesis.sha256").write_text(genesis + "\n")
    export(watch.gateway, out / "ledger.blocks")
    ledger = verify(out / "ledger.blocks", genesis)
    try:
        claims.receipt(out / "receipt.json", ledger)
        claims.proof(out / "proof-in.json", ledger)
        claims.proof(out / "proof-out.json", ledger)
    except CovenantError as error:
        raise PortalError("demo.claim-refused", f"what the patient holds does not verify: {error}") from error
    try:
        bundle.check(bundle.read(out), ledger)
    except CovenantError as error:
        raise PortalError("demo.model-refused", f"what was released does not verify: {error}") from error
    return ledger


def build(
    layout: Layout,
    choices: Choices,
    ledger: Ledger,
    *,
    cohorts: dict[str, int],
    patients: dict[str, int],
    withdrawal: dict[str, int],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The report, read from the verified export and the certificate: nothing here is remembered from the run alone."""
    certificate = json.loads((layout.out / "certificate.json").read_text())
    study = choices.study
    plan = ledger.state(f"studies/study/{study}")["plan"]
    return {
        "ledger": {"kind": choices.ledger, "height": ledger.height, "transactions": ledger.report.transactions},
        "hospitals": [
            {"name": site.name, "msp": site.msp, "patients": patients[site.name], "in_cohort": cohorts[site.name]}
            for site in HOSPITALS
        ],
        "study": {"id": study, "rounds": list(rounds(ledger, study))},
        "privacy": privacy(certificate),
        "accuracy": accuracy(ledger, study, plan),
        "withdrawal": withdrawal,
        "attestation": attestations(ledger),
        "counts": {record["dataset"]: record["answer"] for _, record in ledger.records("budget/count/")},
        "seconds": {
            "total": round(sum(seconds.values()), 1),
            "by_step": {name: round(one, 1) for name, one in seconds.items()},
        },
    }


def attestations(ledger: Ledger) -> dict[str, int]:
    """How many of the consents that stand were signed in which way, as every reader of the ledger sees it."""
    standing = (record for _, record in ledger.records("consents/") if record.get("status") == "active")
    return dict(sorted(Counter(record["attestation"] for record in standing).items()))


def rounds(ledger: Ledger, study: str) -> list[dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for key, record in ledger.records(f"studies/cohort/{study}/"):
        number = int(key.split("/")[3])
        if record["root"] is not None:
            found.setdefault(number, {})[record["hospital"]] = {
                "root": record["root"],
                "count_bucket": record["bucket"],
            }
    return [{"round": number, "sites": sites} for number, sites in sorted(found.items())]


def privacy(certificate: dict[str, Any]) -> dict[str, Any]:
    return {name: certificate["privacy"][name] for name in ("epsilon_rdp", "epsilon_pld", "delta")}


def accuracy(ledger: Ledger, study: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Noised accuracy of each site that released one, null for one that did not or whose noise left no positive number
    of patients, as the study's page has it; the mean is over the others.
    """
    released = {record["hospital"]: record for _, record in ledger.records(f"studies/measurement/{study}/")}
    per_site: dict[str, float | None] = {site.msp: None for site in HOSPITALS}
    for msp, record in released.items():
        if record["total"] > 0:
            per_site[msp] = round(min(1.0, max(0.0, record["correct"] / record["total"])), 3)
    shown = [value for value in per_site.values() if value is not None]
    return {
        "per_site": per_site,
        "mean": round(sum(shown) / len(shown), 3) if shown else None,
        "noise_scale": round(float(plan["metrics"]["sigma"]) * math.sqrt(2), 3),
    }


def show(console: Console, layout: Layout, choices: Choices, report: dict[str, Any], people: dict[str, Any]) -> None:
    """The table at the end: what happened, where to look, as whom."""
    table = Table("what", "how it went", title="Covenant", title_justify="left")
    accuracies = ", ".join(
        f"{msp} {'released none' if value is None else value}" for msp, value in report["accuracy"]["per_site"].items()
    )
    found, about = report["privacy"], report["withdrawal"]
    table.add_row(
        "ledger",
        f"{report['ledger']['transactions']} transactions in {report['ledger']['height']} blocks, verified offline",
    )
    table.add_row(
        "patients in the last cohort",
        ", ".join(f"{one['name']} {one['in_cohort']} of {one['patients']}" for one in report["hospitals"]),
    )
    table.add_row(
        "privacy",
        f"epsilon {found['epsilon_rdp']} (RDP, as gated), {found['epsilon_pld']} (PLD), delta {found['delta']}",
    )
    table.add_row("accuracy (noised)", f"mean {report['accuracy']['mean']}; {accuracies}")
    signed = report.get("attestation", {})
    table.add_row(
        "consents that stand",
        f"{signed.get('portal-key', 0)} signed by a key that the hospital keeps, {signed.get('hospital-attested', 0)} "
        "on paper, as the hospital attests; the one withdrawn below by a passkey (a program, in a phone's place)",
    )
    table.add_row(
        "withdrawal",
        f"in round {about['round_in']}, not in round {about['round_out']}: both proofs verify",
    )
    table.add_row("time", f"{report['seconds']['total']} s")
    table.add_row("files", str(layout.out))
    console.print(table)
    doors = Table(*(Column(name, no_wrap=True) for name in ("address", "username", "password")), "click first")
    first = {
        "researcher": "Studies",
        "auditor": "Chain",
        "steward": "Studies, What left",
        "patient": "Where my data was used",
    }
    for site in SITES:
        for username, password in people.get(site.name, {}).items():
            doors.add_row(layout.address(site, choices.port), username, password, first[username.rstrip("0123456789")])
    console.print(doors)
