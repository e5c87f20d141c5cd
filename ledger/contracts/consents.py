"""What patients allow: grants, withdrawals, and the texts that were agreed to. What is kept of them: `grants`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from consent.canonical import Document
from consent.presets import PRESETS
from consent.versions import StillPermits
from ledger.contracts.constitution import MAX_BATCH
from ledger.contracts.evidence import By, Evidence, WithdrawalEvidence, check_grant, check_withdrawal
from ledger.contracts.fields import Digest, Language, TextId
from ledger.contracts.functions import ANY_ROLE, Contract, Role, query, transaction
from ledger.contracts.grants import (
    Heard,
    Record,
    Successor,
    Text,
    admit,
    check_active,
    check_all,
    check_current,
    find_standing,
    find_successor,
    heard_key,
    instead_key,
    key,
    named,
    party_of,
    put_withdrawal,
    require_current,
    require_own,
    successor_key,
    supersede,
    text_key,
)
from ledger.contracts.members import relying_party
from ledger.contracts.sealed import Place, SealedGrant, SealedTerms, seal
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused

Commitments = tuple[Digest, ...]
Presets = Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)]


class Recorded(Document, frozen=True):
    """The answer to a batch: how many grants it recorded, and how many stood already."""

    recorded: int
    known: int


class Acknowledged(Document, frozen=True):
    """The answer to an acknowledgement: how many withdrawals were new to it, and how many it had said before."""

    acknowledged: int
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
        supersedes: TextId | None = None,
        still_permits: StillPermits = "nothing",
    ) -> Text:
        """Publish a consent version, unchangeable from then on: any change of words, choices or rules is a new version.

        With `supersedes`, no new grant is recorded under that older version of the same publisher, and those recorded
        go on for what it said of itself: `still_permits` (all; no studies that a hospital approves later; nothing).
        Refuses `consents.preset-unknown`, `consents.known-differently`, `consents.text-unknown`,
        `consents.not-publisher`, `consents.text-superseded` (another version has superseded it).
        """
        if unknown := sorted(set(presets).difference(PRESETS)):
            raise Refused("consents.preset-unknown", "offer presets that exist", presets=unknown)
        offered = Text(
            text=text,
            digests=digests,
            presets=tuple(sorted(set(presets))),
            publisher=ledger.creator.organisation,
            published=ledger.now,
            supersedes=supersedes,
            still_permits=still_permits,
        )
        if standing := ledger.find(text_key(text), Text):
            agree(standing, offered, "consents.known-differently", "publisher", "published")
            return standing
        if supersedes is not None:
            ledger.put(successor_key(supersedes), supersede(ledger, offered))
        ledger.put(text_key(text), offered)
        return offered

    @transaction(
        role=Role.REGISTRAR,
        event="consents.recorded",
        reads=lambda said: [text_key(said.grant.text), successor_key(said.grant.text), key(said.grant.commitment)],
    )
    def record(
        self, ledger: Ledger, *, grant: SealedGrant, replaces: Digest | None = None, evidence: Evidence | None
    ) -> Record:
        """Record one grant of the caller's hospital; the same grant again is answered with the record that stands.

        `attestation` must fit how it was signed: a passkey's assertion (at the hospital's address, in `members`), a
        key's signature, or paper, which the registrar alone answers for. `replaces`: under a text that has a successor,
        the grant that this one narrows and takes the place of, once; under a current text it means nothing.
        Refuses `consents.text-unknown`, `consents.text-superseded`, `consents.preset-unknown`,
        `consents.wrong-hospital`, `consents.wrong-channel`, `consents.validity-reversed`, `consents.validity-past`,
        `consents.evidence-missing`, `consents.evidence-invalid`, `consents.malformed`, `consents.key-encoding`,
        `consents.key-mismatch`, `consents.signature-invalid`, `consents.commitment-mismatch`,
        `consents.statement-mismatch`, `consents.attestation-mismatch`, `consents.passkey-unknown`,
        `consents.passkey-malformed`, `consents.passkey-type`, `consents.passkey-challenge`, `consents.passkey-origin`,
        `consents.passkey-cross-origin`, `consents.passkey-rp-id`, `consents.passkey-not-present`,
        `consents.passkey-not-verified`, `consents.withdrawn`, `consents.tombstone`, `consents.known-differently`,
        `consents.replaces-unknown`, `consents.replaces-wider`, `consents.replaced`.
        """
        record = admit(ledger, grant, {})
        newer = find_successor(ledger, grant.text)
        party = party_of(ledger, grant)
        if evidence is not None:
            check_grant(grant, evidence, ledger.channel, party)
        if standing := find_standing(ledger, record):
            return standing
        if instead := check_current(ledger, grant, newer, replaces):
            ledger.put(instead_key(instead.commitment), instead)
        ledger.put(key(grant.commitment), record)
        return record

    @transaction(role=Role.REGISTRAR, event="consents.recorded")
    def record_batch(
        self,
        ledger: Ledger,
        *,
        grants: tuple[tuple[Digest, Place], ...],
        terms: tuple[SealedTerms, ...],
        evidence: tuple[Evidence, ...] | None,
    ) -> Recorded:
        """Record up to 500 grants of the caller's hospital, sorted by commitment: all of them, or none.

        `grants`: each one's commitment, and the place in `terms`, from 0, of all else that it says. `evidence`: in the
        order of the grants.
        Refuses as `consents:Record` does, with the entry's place in `index`; and `consents.batch-size`,
        `consents.batch-terms`, `consents.not-sorted`.
        """
        if not 1 <= len(grants) <= MAX_BATCH:
            raise Refused("consents.batch-size", f"a batch holds 1 to {MAX_BATCH} grants: split it", given=len(grants))
        if any(one >= other for (one, _), (other, _) in zip(grants, grants[1:], strict=False)):
            raise Refused("consents.not-sorted", "sort the batch by commitment, each commitment once")
        if {place for _, place in grants} != set(range(len(terms))):
            raise Refused(
                "consents.batch-terms", "name for each grant a place in `terms`, and each place at least once"
            )
        sealed = tuple(seal(terms[place], commitment) for commitment, place in grants)
        party = party_of(ledger, *sealed)
        if evidence is not None:
            check_all(ledger, sealed, evidence, party)
        ledger.expect([key(commitment) for commitment, _ in grants])
        fresh: list[Record] = []
        texts: dict[str, Text | None] = {}
        current: set[str] = set()
        for index, grant in enumerate(sealed):
            try:
                record = admit(ledger, grant, texts)
                if find_standing(ledger, record) is None:
                    if grant.text not in current:
                        require_current(ledger, grant.text)
                        current.add(grant.text)
                    fresh.append(record)
            except Refused as refusal:
                raise named(refusal, index) from None
        for record in fresh:
            ledger.put(key(record.commitment), record)
        return Recorded(recorded=len(fresh), known=len(grants) - len(fresh))

    @transaction(role=ANY_ROLE, event="consents.withdrawn", reads=lambda said: [key(said.commitment)])
    def withdraw(
        self,
        ledger: Ledger,
        *,
        commitment: Digest,
        by: By,
        evidence: WithdrawalEvidence | None,
    ) -> Record:
        """Withdraw a grant by the patient's signature, passkey or withdrawal code.

        Signature and code are taken on any member's page, a passkey on that of the hospital that has the grant (the
        caller's, for one that is not known yet). Where a lost key was replaced, the new one's counts as the old one's.
        A commitment that is not known yet gets a tombstone: its grant is refused for ever. Where the registrar has
        withdrawn it before, it counts as withdrawn by the patient from now on. Withdrawing again is answered with the
        record that stands.
        Refuses `consents.evidence-missing`, `consents.evidence-invalid`, `consents.wrong-channel`,
        `consents.withdrawal-invalid` (a stranger, a wrong code, another grant's statement).
        """
        standing = ledger.find(key(commitment), Record)
        party = None
        if by == "passkey":
            party = relying_party(ledger, (standing and standing.hospital) or ledger.creator.organisation)
        if evidence is not None:
            replacement = standing.replacement if standing else None
            check_withdrawal(commitment, by, evidence, ledger.channel, replacement=replacement, party=party)
        actor: Literal["patient", "code"] = "code" if by == "code" else "patient"
        if standing is None:
            record = Record.tombstone(commitment, ledger.now, actor)
        else:
            record = standing.withdrawn_now(ledger.now, actor)
        put_withdrawal(ledger, standing, record)
        return record

    @transaction(role=Role.REGISTRAR, event="consents.withdrawn")
    def withdraw_by_registrar(self, ledger: Ledger, *, commitment: Digest) -> Record:
        """Withdraw a grant of the caller's own hospital, shown as the registrar's act until the patient withdraws.

        Refuses `consents.unknown`, `consents.wrong-hospital`.
        """
        standing = require_own(ledger, commitment, "withdraws grants")
        record = standing.withdrawn_now(ledger.now, "registrar")
        put_withdrawal(ledger, standing, record)
        return record

    @transaction(role=Role.SITE, event="consents.heard")
    def acknowledge(self, ledger: Ledger, *, commitments: Commitments) -> Acknowledged:
        """Say, as the caller's hospital, that these withdrawals have arrived: no cohort it freezes now counts on them.

        Sorted, each commitment once. Saying so again changes nothing.
        Refuses `consents.batch-size`, `consents.not-sorted`, `consents.not-withdrawn`.
        """
        if not 1 <= len(commitments) <= MAX_BATCH:
            raise Refused("consents.batch-size", f"name 1 to {MAX_BATCH} withdrawals: split it", given=len(commitments))
        if any(one >= other for one, other in zip(commitments, commitments[1:], strict=False)):
            raise Refused("consents.not-sorted", "sort the commitments, each once")
        hospital, fresh = ledger.creator.organisation, list[Heard]()
        ledger.expect([name for each in commitments for name in (key(each), heard_key(each, hospital))])
        for commitment in commitments:
            standing = ledger.find(key(commitment), Record)
            if standing is None or standing.status == "active":
                raise Refused("consents.not-withdrawn", "nothing of this name is withdrawn", commitment=commitment)
            if ledger.find(heard_key(commitment, hospital), Heard) is None:
                fresh.append(Heard(commitment=commitment, hospital=hospital, heard=ledger.now))
        for one in fresh:
            ledger.put(heard_key(one.commitment, hospital), one)
        return Acknowledged(acknowledged=len(fresh), known=len(commitments) - len(fresh))

    @transaction(role=Role.REGISTRAR, event="consents.rekeyed")
    def rekey(self, ledger: Ledger, *, commitment: Digest, replacement: Digest) -> Record:
        """Put a new key in the place of one that a patient of the caller's hospital has lost.

        The grant counts as hospital-attested until it is signed anew; the new key can withdraw it, and nothing else.
        `replacement`: digest of commitment and new key (docs/formats/consent.md). The same again changes nothing;
        another one takes the place of the last.
        Refuses `consents.unknown`, `consents.wrong-hospital`, `consents.withdrawn`, `consents.tombstone`.
        """
        standing = require_own(ledger, commitment, "replaces keys of patients")
        check_active(standing)
        record = standing.rekeyed_now(ledger.now, replacement)
        if record != standing:
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

    @query
    def successor(self, ledger: Ledger, *, text: TextId) -> Successor | None:
        """What superseded the consent version `text`, or null."""
        return find_successor(ledger, text)
