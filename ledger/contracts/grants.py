"""A grant's record, the text it was given under, and what must hold before it is recorded.

State: `consents/<commitment>` -> Record, `consents/text/<id>` -> Text, `consents/successor/<id>` -> Successor,
`consents/last/<msp>` -> LastWithdrawal, `consents/heard/<commitment>/<msp>` -> Heard, `consents/instead/<commitment>`
-> Instead. Never a name, never a record: the signed statement is transient evidence, which endorsers see, check and
forget.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from msgspec.structs import replace

from consent import periods
from consent.canonical import Document
from consent.errors import GrantRefused
from consent.presets import within
from consent.status import after
from consent.versions import StillPermits
from consent.webauthn import RelyingParty
from ledger.contracts.constitution import MAX_PAST_MONTHS
from ledger.contracts.evidence import Evidence, refusal_of
from ledger.contracts.fields import Digest, Seconds
from ledger.contracts.members import relying_party
from ledger.contracts.sealed import SealedGrant
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused


class Text(Document, frozen=True):
    """A consent version: the digests of its wording in each language, the presets it offers.

    `supersedes`: the version before it, if any. `still_permits`: what consents under this one permit once a newer one
    stands.
    """

    text: str
    digests: dict[str, str]
    presets: tuple[str, ...]
    publisher: str
    published: Seconds
    supersedes: str | None = None
    still_permits: StillPermits = "nothing"


class Successor(Document, frozen=True):
    """That `text` was superseded by the version `by`, from `since` on: no new grant is recorded under it.

    `still_permits`: the rule of the superseded version, said again beside the time.
    """

    text: str
    by: str
    since: Seconds
    still_permits: StillPermits


class Record(Document, frozen=True, omit_defaults=True):
    """One commitment. For a tombstone (a withdrawal that came before its grant) everything about the grant is null.

    `rekeyed`: when a lost key was last replaced; `replacement`: the digest of the key that may withdraw in its place.
    What has not happened is left out: half a million records need not say so four times each.
    """

    commitment: Digest
    status: Literal["active", "withdrawn", "tombstone"]
    hospital: str | None
    text: str | None
    preset: str | None
    valid_from: str | None
    valid_until: str | None
    attestation: str | None
    recorded: Seconds | None
    withdrawn: Seconds | None = None
    withdrawn_by: Literal["patient", "code", "registrar"] | None = None
    rekeyed: Seconds | None = None
    replacement: Digest | None = None

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
        )

    def withdrawn_now(self, now: int, by: Literal["patient", "code", "registrar"]) -> Record:
        """The record once `by` has withdrawn the grant; the time and the patient's own act stay what they were.

        A patient's withdrawal counts as the patient's also where the registrar was there before.
        """
        status = after(self.status, "withdraw")
        if status != self.status:
            return replace(self, status=status, withdrawn=now, withdrawn_by=by)
        return replace(self, withdrawn_by=by) if self.withdrawn_by == "registrar" else self

    def rekeyed_now(self, now: int, replacement: str) -> Record:
        """The record once the key behind `replacement` took a lost one's place: from now on the hospital attests it."""
        if self.replacement == replacement:
            return self
        return replace(self, attestation="hospital-attested", rekeyed=now, replacement=replacement)

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


class LastWithdrawal(Document, frozen=True):
    """The withdrawal that ended a grant of `hospital` last: another one since means that there was one since."""

    hospital: str
    commitment: Digest


class Heard(Document, frozen=True):
    """A hospital's word that its own peer has this withdrawal: no cohort it freezes from now on holds the patient."""

    commitment: Digest
    hospital: str
    heard: Seconds


class Instead(Document, frozen=True):
    """That the grant `by` was recorded in the place of `commitment`, under a text that was superseded meanwhile."""

    commitment: Digest
    by: Digest


def key(commitment: str) -> str:
    return f"consents/{commitment}"


def last_key(hospital: str) -> str:
    return f"consents/last/{hospital}"


def heard_key(commitment: str, hospital: str) -> str:
    return f"consents/heard/{commitment}/{hospital}"


def put_withdrawal(ledger: Ledger, standing: Record | None, record: Record) -> None:
    """Write what a withdrawal made of `standing`, if anything; where it ended a grant, it is that hospital's last.

    The last one is written unread, so that withdrawals in one block do not wait for each other.
    """
    if record == standing:
        return
    ledger.put(key(record.commitment), record)
    if standing is not None and standing.status == "active" and standing.hospital is not None:
        last = LastWithdrawal(hospital=standing.hospital, commitment=record.commitment)
        ledger.put(last_key(standing.hospital), last)


def last_withdrawals(ledger: Ledger, hospitals: tuple[str, ...]) -> dict[str, str]:
    """The commitment that was withdrawn last at each of `hospitals` where there was one."""
    found = {hospital: ledger.find(last_key(hospital), LastWithdrawal) for hospital in hospitals}
    return {hospital: last.commitment for hospital, last in found.items() if last is not None}


def text_key(text: str) -> str:
    return f"consents/text/{text}"


def successor_key(text: str) -> str:
    return f"consents/successor/{text}"


def supersede(ledger: Ledger, newer: Text) -> Successor:
    """What becomes of the version that `newer` supersedes. Only its own publisher may end it, and once.

    Refuses `consents.text-unknown`, `consents.not-publisher`, `consents.text-superseded`.
    """
    older = ledger.find(text_key(newer.supersedes or ""), Text)
    if older is None:
        raise Refused("consents.text-unknown", "supersede a consent version that stands", text=newer.supersedes)
    if older.publisher != newer.publisher:
        raise Refused("consents.not-publisher", "a version is superseded by the hospital that published it")
    require_current(ledger, older.text)
    return Successor(text=older.text, by=newer.text, since=ledger.now, still_permits=older.still_permits)


def find_successor(ledger: Ledger, text: str) -> Successor | None:
    return ledger.find(successor_key(text), Successor)


def require_current(ledger: Ledger, text: str) -> None:
    """Refuses `consents.text-superseded`."""
    if newer := find_successor(ledger, text):
        raise superseded(newer)


def superseded(newer: Successor) -> Refused:
    message = f"a newer version stands: ask under {newer.by}"
    return Refused("consents.text-superseded", message, text=newer.text, newer=newer.by)


def instead_key(commitment: str) -> str:
    return f"consents/instead/{commitment}"


def check_current(ledger: Ledger, grant: SealedGrant, newer: Successor | None, replaces: str | None) -> Instead | None:
    """What is to be kept, besides the record, of a grant whose text has the successor `newer`; None where it has none.

    Whoever leaves one study, or narrows, goes on under the text that they have signed: once for each grant, and never
    for more than it said. Refuses `consents.text-superseded`, `consents.replaces-unknown`, `consents.replaces-wider`,
    `consents.replaced`.
    """
    if newer is None:
        return None
    if replaces is None:
        raise superseded(newer)
    old = ledger.find(key(replaces), Record)
    if old is None or old.text != grant.text or old.hospital != grant.hospital:
        message = "name the grant that this one replaces: of the same hospital, under the same text"
        raise Refused("consents.replaces-unknown", message, replaces=replaces)
    months = (old.valid_from or "", old.valid_until or "")
    if not (within(grant.preset, old.preset or "") and months[0] <= grant.valid_from <= grant.valid_until <= months[1]):
        raise Refused("consents.replaces-wider", "under a superseded text, a grant only narrows", replaces=replaces)
    if ledger.find(instead_key(replaces), Instead) is not None:
        raise Refused("consents.replaced", "another grant took this one's place: narrow that", replaces=replaces)
    return Instead(commitment=replaces, by=grant.commitment)


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
    check_active(standing)
    since = ("rekeyed", "replacement", "attestation") if standing.rekeyed is not None else ()
    agree(standing, record, "consents.known-differently", "recorded", *since)
    return standing


def require_own(ledger: Ledger, commitment: str, act: str) -> Record:
    """The record of a grant of the caller's hospital, or of a withdrawal that came before its grant.

    `act`: what a registrar wants to do. Refuses `consents.unknown`, `consents.wrong-hospital`.
    """
    standing = ledger.find(key(commitment), Record)
    if standing is None:
        raise Refused("consents.unknown", "no grant stands under this commitment", commitment=commitment)
    if standing.hospital not in {None, ledger.creator.organisation}:
        raise Refused("consents.wrong-hospital", f"a registrar {act} of the own hospital only", commitment=commitment)
    return standing


def check_active(standing: Record) -> None:
    """Refuses `consents.withdrawn`, `consents.tombstone`."""
    try:
        after(standing.status, "grant")
    except GrantRefused as error:
        code = error.code.replace("grant.", "consents.", 1)
        raise Refused(code, error.message, commitment=standing.commitment) from None


def party_of(ledger: Ledger, *grants: SealedGrant) -> RelyingParty | None:
    """Where the caller's patients sign with passkeys, if one of `grants` says that one signed it.

    Read by what the grants say, never by what the evidence shows: an auditor who has no evidence reads the same.
    """
    if all(grant.attestation != "passkey" for grant in grants):
        return None
    return relying_party(ledger, ledger.creator.organisation)


def check_all(
    ledger: Ledger, grants: tuple[SealedGrant, ...], evidence: tuple[Evidence, ...], party: RelyingParty | None
) -> None:
    """Refuse the first entry, in order, whose evidence does not make it true."""
    if len(evidence) != len(grants):
        raise Refused(
            "consents.evidence-missing",
            "send one piece of evidence for each grant, in the same order",
            grants=len(grants),
            evidence=len(evidence),
        )

    check = partial(refusal_of, ledger.channel, party)
    for index, refusal in enumerate(ledger.each(check, tuple(zip(grants, evidence, strict=True)))):
        if refusal is not None:
            raise named(refusal, index)


def named(refusal: Refused, index: int) -> Refused:
    """`refusal`, saying which entry of the batch it is about."""
    message = f"entry {index} of the batch (counted from 0): {refusal.message}; nothing of the batch was recorded"
    return Refused(refusal.code, message, index=index, **refusal.context)
