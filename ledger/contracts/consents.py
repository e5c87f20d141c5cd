"""What patients allow: grants, withdrawals, and the texts that were agreed to.

State: `consents/<commitment>` -> Record, `consents/text/<id>` -> Text. Never a name, never a record: the signed
statement is transient evidence, which endorsers see, check and forget.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from consent import periods
from consent.canonical import Document
from consent.errors import GrantRefused
from consent.presets import PRESETS
from consent.status import after
from ledger.contracts.constitution import MAX_BATCH, MAX_PAST_MONTHS
from ledger.contracts.evidence import Evidence, WithdrawalEvidence, check_grant, check_withdrawal
from ledger.contracts.fields import Digest, Language, Seconds, TextId
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.sealed import SealedGrant
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused

Presets = Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]


class Text(Document, frozen=True):
    """A consent version: the digests of its wording in each language, the presets it offers."""

    text: str
    digests: dict[str, str]
    presets: tuple[str, ...]
    publisher: str
    published: Seconds


class Record(Document, frozen=True):
    """One commitment. For a tombstone (a withdrawal that came before its grant) everything about the grant is null."""

    commitment: Digest
    status: Literal["active", "withdrawn", "tombstone"]
    hospital: str | None
    text: str | None
    preset: str | None
    valid_from: str | None
    valid_until: str | None
    attestation: str | None
    recorded: Seconds | None
    withdrawn: Seconds | None
    withdrawn_by: Literal["patient", "code", "registrar"] | None

    @classmethod
    def of(cls, grant: SealedGrant, now: int) -> Record:
        return cls(
            commitment=grant.commitment,
            status="active",
            hospital=grant.hospital,
            text=grant.text,
            preset=grant.preset,
            valid_from=grant.valid_from,
            valid_until=grant.valid_until,
            attestation=grant.attestation,
            recorded=now,
            withdrawn=None,
            withdrawn_by=None,
        )

    @classmethod
    def tombstone(cls, commitment: str, now: int, by: Literal["patient", "code"]) -> Record:
        return cls(
            commitment=commitment,
            status="tombstone",
            hospital=None,
            text=None,
            preset=None,
            valid_from=None,
            valid_until=None,
            attestation=None,
            recorded=None,
            withdrawn=now,
            withdrawn_by=by,
        )


class Recorded(Document, frozen=True):
    """The answer to a batch: how many grants it recorded, and how many stood already."""

    recorded: int
    known: int


class Consents(Contract):
    """What patients allow. The ledger knows a grant by its commitment alone."""

    name = "consents"

    @transaction(role=Role.STEWARD, event="consents.published")
    def publish_text(
        self,
        ledger: Ledger,
        *,
        text: TextId,
        digests: Annotated[dict[Language, Digest], Meta(min_length=1, max_length=64)],
        presets: Presets,
    ) -> Text:
        """Publish a consent version, unchangeable from then on: any change of words or choices is a new version.

        Refuses `consents.preset-unknown`, `consents.known-differently`.
        """
        if unknown := sorted(set(presets).difference(PRESETS)):
            raise Refused("consents.preset-unknown", "offer presets that exist", presets=unknown)
        offered = Text(
            text=text,
            digests=digests,
            presets=tuple(sorted(set(presets))),
            publisher=ledger.creator.organisation,
            published=ledger.now,
        )
        if standing := ledger.find(text_key(text), Text):
            agree(standing, offered, "consents.known-differently", "publisher", "published")
            return standing
        ledger.put(text_key(text), offered)
        return offered

    @transaction(role=Role.REGISTRAR, event="consents.recorded")
    def record(self, ledger: Ledger, *, grant: SealedGrant, evidence: Evidence | None) -> Record:
        """Record one grant of the caller's hospital; the same grant again is answered with the record that stands.

        Refuses `consents.text-unknown`, `consents.preset-unknown`, `consents.wrong-hospital`, `consents.wrong-channel`,
        `consents.validity-reversed`, `consents.validity-past`, `consents.evidence-missing`,
        `consents.evidence-invalid`, `consents.malformed`, `consents.key-encoding`, `consents.key-mismatch`,
        `consents.signature-invalid`, `consents.commitment-mismatch`, `consents.statement-mismatch`,
        `consents.withdrawn`, `consents.tombstone`, `consents.known-differently`.
        """
        record = admit(ledger, grant, {})
        if evidence is not None:
            check_grant(grant, evidence, ledger.channel)
        if standing := find_standing(ledger, record):
            return standing
        ledger.put(key(grant.commitment), record)
        return record

    @transaction(role=Role.REGISTRAR, event="consents.recorded")
    def record_batch(
        self, ledger: Ledger, *, grants: tuple[SealedGrant, ...], evidence: tuple[Evidence, ...] | None
    ) -> Recorded:
        """Record up to 500 grants of the caller's hospital, sorted by commitment: all of them, or none.

        Refuses as `consents:Record` does, with the entry's place in `index`; and `consents.batch-size`,
        `consents.not-sorted`.
        """
        if not 1 <= len(grants) <= MAX_BATCH:
            raise Refused("consents.batch-size", f"a batch holds 1 to {MAX_BATCH} grants: split it", given=len(grants))
        if any(one.commitment >= other.commitment for one, other in zip(grants, grants[1:], strict=False)):
            raise Refused("consents.not-sorted", "sort the batch by commitment, each commitment once")
        if evidence is not None:
            check_all(ledger, grants, evidence)
        ledger.expect([key(grant.commitment) for grant in grants])
        fresh: list[Record] = []
        texts: dict[str, Text | None] = {}
        for index, grant in enumerate(grants):
            try:
                record = admit(ledger, grant, texts)
                if find_standing(ledger, record) is None:
                    fresh.append(record)
            except Refused as refusal:
                raise named(refusal, index) from None
        for record in fresh:
            ledger.put(key(record.commitment), record)
        return Recorded(recorded=len(fresh), known=len(grants) - len(fresh))

    @transaction(role=ANY_ROLE, event="consents.withdrawn")
    def withdraw(
        self,
        ledger: Ledger,
        *,
        commitment: Digest,
        by: Literal["signature", "code"],
        evidence: WithdrawalEvidence | None,
    ) -> Record:
        """Withdraw a grant, on any member's page, by the patient's signature or the withdrawal code.

        A commitment that is not known yet gets a tombstone: its grant is refused for ever. Withdrawing again is
        answered with the record that stands.
        Refuses `consents.evidence-missing`, `consents.evidence-invalid`, `consents.wrong-channel`,
        `consents.withdrawal-invalid` (a stranger, a wrong code, another grant's statement).
        """
        if evidence is not None:
            check_withdrawal(commitment, by, evidence, ledger.channel)
        actor: Literal["patient", "code"] = "patient" if by == "signature" else "code"
        standing = ledger.find(key(commitment), Record)
        status = after("unknown" if standing is None else standing.status, "withdraw")
        if standing is None:
            record = Record.tombstone(commitment, ledger.now, actor)
        elif standing.status == status:
            return standing
        else:
            record = replace(standing, status=status, withdrawn=ledger.now, withdrawn_by=actor)
        ledger.put(key(commitment), record)
        return record

    @transaction(role=Role.REGISTRAR, event="consents.withdrawn")
    def withdraw_by_registrar(self, ledger: Ledger, *, commitment: Digest) -> Record:
        """Withdraw a grant of the caller's own hospital, shown for ever as withdrawn by the registrar.

        Refuses `consents.unknown`, `consents.wrong-hospital`.
        """
        standing = ledger.find(key(commitment), Record)
        if standing is None:
            raise Refused("consents.unknown", "no grant stands under this commitment", commitment=commitment)
        if standing.hospital not in {None, ledger.creator.organisation}:
            raise Refused(
                "consents.wrong-hospital",
                "a registrar withdraws grants of the own hospital only",
                commitment=commitment,
            )
        if standing.status != "active":
            return standing
        record = replace(standing, status="withdrawn", withdrawn=ledger.now, withdrawn_by="registrar")
        ledger.put(key(commitment), record)
        return record

    @query
    def get(self, ledger: Ledger, *, commitment: Digest) -> Record | None:
        """The record under `commitment`, or null."""
        return ledger.find(key(commitment), Record)

    @query
    def text(self, ledger: Ledger, *, text: TextId) -> Text | None:
        """The consent version `text`, or null."""
        return ledger.find(text_key(text), Text)


def key(commitment: str) -> str:
    return f"consents/{commitment}"


def text_key(text: str) -> str:
    return f"consents/text/{text}"


def admit(ledger: Ledger, grant: SealedGrant, texts: dict[str, Text | None]) -> Record:
    """The record that `grant` would make: its hospital, text, preset and validity are checked here, against the state.

    `texts` remembers the texts read in this call.
    """
    if grant.hospital != ledger.creator.organisation:
        raise Refused(
            "consents.wrong-hospital",
            "a registrar records grants given to the own hospital only",
            commitment=grant.commitment,
            hospital=grant.hospital,
        )
    if grant.text not in texts:
        texts[grant.text] = ledger.find(text_key(grant.text), Text)
    text = texts[grant.text]
    if text is None:
        raise Refused("consents.text-unknown", "publish this consent version first", text=grant.text)
    if grant.preset not in text.presets:
        raise Refused("consents.preset-unknown", "this consent version offers no such choice", preset=grant.preset)
    if grant.valid_until < grant.valid_from:
        raise Refused("consents.validity-reversed", "the grant ends before it starts", commitment=grant.commitment)
    if periods.long_past(grant.valid_until, ledger.now, months_ago=MAX_PAST_MONTHS):
        raise Refused(
            "consents.validity-past",
            f"the grant ended more than {MAX_PAST_MONTHS} months ago",
            commitment=grant.commitment,
        )
    return Record.of(grant, ledger.now)


def find_standing(ledger: Ledger, record: Record) -> Record | None:
    """The same grant's record if it stands already.

    Refuses `consents.withdrawn`, `consents.tombstone`, `consents.known-differently`.
    """
    standing = ledger.find(key(record.commitment), Record)
    if standing is None:
        return None
    try:
        after(standing.status, "grant")
    except GrantRefused as error:
        raise Refused(
            error.code.replace("grant.", "consents.", 1), error.message, commitment=record.commitment
        ) from None
    agree(standing, record, "consents.known-differently", "recorded")
    return standing


def check_all(ledger: Ledger, grants: tuple[SealedGrant, ...], evidence: tuple[Evidence, ...]) -> None:
    """Refuse the first entry, in order, whose evidence does not make it true."""
    if len(evidence) != len(grants):
        raise Refused(
            "consents.evidence-missing",
            "send one piece of evidence for each grant, in the same order",
            grants=len(grants),
            evidence=len(evidence),
        )

    def outcome(entry: tuple[SealedGrant, Evidence]) -> Refused | None:
        try:
            check_grant(*entry, ledger.channel)
        except Refused as refusal:
            return refusal
        return None

    for index, refusal in enumerate(ledger.each(outcome, tuple(zip(grants, evidence, strict=True)))):
        if refusal is not None:
            raise named(refusal, index)


def named(refusal: Refused, index: int) -> Refused:
    """`refusal`, saying which entry of the batch it is about."""
    message = f"entry {index} of the batch (counted from 0): {refusal.message}; nothing of the batch was recorded"
    return Refused(refusal.code, message, index=index, **refusal.context)
