"""What patients hold, checked against a verified ledger: receipts and cohort proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from consent.ledger_view import CommittedRoot, Standing, Terms
from consent.proof import ProofReport, read_proof, verify_proof
from consent.receipt import ReceiptReport, read_receipt, verify_receipt
from consent.webauthn import RelyingParty
from ledger.verify.errors import failed
from ledger.verify.ledger import Entry, Ledger

SIGNED = {
    "passkey": "The patient's passkey signed it at the hospital's own address; whose hand was on it, no file can show.",
    "device-key": "A key signed it that the patient holds, as the hospital says.",
    "portal-key": "A key signed it that the hospital holds for the patient: the hospital could have signed by itself.",
    "hospital-attested": "No key of the patient signed it: the hospital attests a signature on paper.",
}
REKEYED = "Its key was lost and replaced since: today the hospital alone attests it."
LARGEST = 2**24  # bytes; a proof of 256 siblings a root stays far below


class View:
    """A verified ledger as consent.ledger_view.LedgerView."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def standing(self, commitment: str) -> Standing | None:
        history = self._ledger.history(f"consents/{commitment}")
        if not history:
            return None
        recorded = _first(history, "active")
        withdrawn = _first(history, "withdrawn", "tombstone")
        return Standing(
            hospital=history[-1].record["hospital"],
            recorded_block=recorded.block if recorded else None,
            recorded_tx=recorded.tx_id if recorded else None,
            withdrawn_block=withdrawn.block if withdrawn else None,
            withdrawn_tx=withdrawn.tx_id if withdrawn else None,
            terms=Terms(*(recorded.record[name] for name in Terms._fields)) if recorded else None,
            attestation=recorded.record["attestation"] if recorded else None,
            attested_now=history[-1].record["attestation"],
        )

    def relying_party(self, hospital: str, block: int) -> RelyingParty | None:
        before = [one for one in self._ledger.history(f"members/org/{hospital}") if one.record and one.block < block]
        rp_id = before[-1].record.get("rp_id") if before else None
        return None if rp_id is None else RelyingParty(rp_id, tuple(before[-1].record["origins"]))

    def roots(self, hospital: str, study: str, round_: int) -> Sequence[CommittedRoot]:
        """From `studies/cohort/<study>/<round>/<attempt>/<hospital>` and the Round that Open wrote."""
        found = []
        for key, opened in self._ledger.records(f"studies/round/{study}/{round_}/"):
            attempt = key.rpartition("/")[2]
            opened_block = self._ledger.history(key)[0].block
            for entry in self._ledger.history(f"studies/cohort/{study}/{round_}/{attempt}/{hospital}"):
                if entry.record and entry.record["root"] is not None:
                    cohort = entry.record
                    found.append(
                        CommittedRoot(int(attempt), opened["kind"], cohort["dataset"], cohort["root"], opened_block)
                    )
        return list(dict.fromkeys(found))

    def header_hash(self, height: int) -> str | None:
        return self._ledger.header_hash(height)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a receipt or proof has shown on a verified ledger; `sentences` say it in plain words."""

    what: ReceiptReport | ProofReport
    sentences: tuple[str, ...]
    ledger: Ledger

    def lines(self) -> list[str]:
        report = self.ledger.report
        return [*self.sentences, f"Checked on the ledger {report.channel!r}, head {report.height}:{report.head_hash}."]

    def as_json(self) -> dict[str, Any]:
        report = self.ledger.report
        head = {"height": report.height, "head_hash": report.head_hash, "genesis": report.genesis}
        return {"ok": True, **asdict(self.what), "ledger": head, "says": list(self.sentences)}


def receipt(file: Path, ledger: Ledger) -> Shown:
    """What the receipt in `file` shows. Raises VerificationFailed `verify.file-*`, ProofRefused `receipt.*`."""
    shown = verify_receipt(read_receipt(_read(file)), View(ledger))
    withdrawn = "" if shown.withdrawn_block is None else f"; it was withdrawn in block {shown.withdrawn_block}"
    consent = f"The consent {shown.commitment} was recorded for {shown.hospital} in block {shown.recorded_block}"
    return Shown(
        shown,
        (
            "The receipt is true.",
            f"{consent}{withdrawn}.",
            SIGNED[shown.attestation],
            *([REKEYED] if shown.rekeyed else []),
            "Its text, choice and months on the ledger are those that the patient signed.",
            "The ledger still holds everything that it held when the receipt was made.",
        ),
        ledger,
    )


def proof(file: Path, ledger: Ledger) -> Shown:
    """What the cohort proof in `file` shows. Raises VerificationFailed `verify.file-*`, ProofRefused `proof.*`."""
    shown = verify_proof(read_proof(_read(file)), View(ledger))
    of_all = f"all {shown.roots} root(s) that {shown.hospital} committed for round {shown.round} of study {shown.study}"
    if shown.claim == "present":
        places = ", ".join(f"attempt {each.attempt} ({each.kind}, {each.dataset})" for each in shown.present_in)
        claim = f"The patient was in the committed cohort of {places}; the proof covers {of_all}."
    else:
        claim = (
            f"The patient was in none of {of_all}; the withdrawal stands in block {shown.withdrawn_block}, before the "
            f"round was opened (block {min(shown.opened_blocks)})."
        )
    limits = "It shows what was committed; what a dishonest trainer read, no ledger can show."
    return Shown(shown, ("The proof is true.", claim, limits), ledger)


def _first(history: Sequence[Entry], *statuses: str) -> Entry | None:
    return next((entry for entry in history if entry.record and entry.record["status"] in statuses), None)


def _read(file: Path) -> bytes:
    if file.is_dir():
        raise failed("not-a-file", f"{file} is a directory: name the file in it", path=str(file))
    try:
        with file.open("rb") as handle:
            data = handle.read(LARGEST + 1)
    except FileNotFoundError:
        raise failed("file-missing", f"there is no file {file}", path=str(file)) from None
    except OSError as error:
        raise failed("file-unreadable", f"{file} cannot be read: {error.strerror}", path=str(file)) from None
    if not data:
        raise failed("file-empty", f"{file} is empty", path=str(file))
    if len(data) > LARGEST:
        raise failed("file-too-large", f"{file} is larger than any receipt or proof", path=str(file))
    return data
