"""A hospital's stores (training.site.stores) over its own database and its own files."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from django.db import IntegrityError, transaction

from consent.errors import CovenantError
from consent.versions import Lapse
from portal.catalogue import manifests
from portal.patients import selectors
from portal.patients.models import Cohort, CohortEntry, Grant, HandedIn, Patient
from training.errors import TrainingError
from training.site.stores import TRAINING, Attempt, FrozenCohort, Member, Records, Standing

NOW = 2**62  # a height above every block: what is known at present
LOOKED_AT = (  # of a grant; the withdrawal code stays closed
    "patient_id", "commitment", "attestation", "text", "preset", "valid_from", "valid_until", "details", "secret",
    "recorded_block", "recorded_at", "withdrawn_block", "withdrawn_at", "withdrawn_by", "local_withdrawn_at",
    "mandate__ended", "patient__sealed_age",
)  # fmt: skip
UNOWNED = "site.not-enrolled"  # nobody enrolled here, or several entries, claim the record
CHUNK = 500  # names in one query: SQLite takes at most 999 of any kind on old builds


class Consents:
    """ConsentStore: every grant of these patients, opened with this hospital's key."""

    def standings(self, patients: Collection[str]) -> Iterable[Standing]:
        handed_in = set(HandedIn.objects.values_list("commitment", flat=True))
        lapses = selectors.lapses()
        for chunk in chunks(patients):
            found = Grant.objects.filter(patient_id__in=chunk).select_related("mandate", "patient")
            for grant in found.only(*LOOKED_AT).order_by("commitment"):
                yield opened(grant, handed_in, lapses)


class RecordFiles:
    """RecordStore: a data set's file as it was registered, split by its fixed seed, rows joined to patients here."""

    def patients(self, dataset: str, version: int, kind: str) -> Sequence[str]:
        parts = manifests.split_of(dataset, version)
        return sorted(owners(parts.training if kind == TRAINING else parts.held_out))

    def failed(self, dataset: str, version: int) -> Mapping[str, int]:
        records = manifests.records_of(dataset, version)
        unowned = len(records.people) - len(owners(records.people))
        return manifests.failures(dataset, version) | ({UNOWNED: unowned} if unowned else {})

    def load(self, dataset: str, version: int, patients: Collection[str]) -> Records:
        records = manifests.records_of(dataset, version)
        known = owners(records.patients)
        if missing := len(set(patients) - known.keys()):
            raise TrainingError("site.record-missing", f"{missing} patients of the cohort have no record here")
        chosen = records.of(known[patient] for patient in patients)
        return Records(chosen.features, chosen.labels, chosen.owners)


class Cohorts:
    """CohortStore: in the hospital's database, seed encrypted, beside the patients whose pages show it."""

    def frozen(self, attempt: Attempt) -> FrozenCohort | None:
        """Raises TrainingError `site.attempt-lost` where a restored store knows only that there was one."""
        cohort = Cohort.objects.filter(study=attempt.study, round=attempt.round, attempt=attempt.attempt).first()
        if cohort is None:
            return None
        if cohort.lost or cohort.kind != attempt.kind:
            raise TrainingError("site.attempt-lost", "this store lost that cohort: open another attempt")
        entries = cohort.entries.filter(grant__isnull=False).order_by("patient_id")
        members = tuple(  # no grant is opened for this
            Member(str(patient), commitment, bytes(key))
            for patient, commitment, key in entries.values_list("patient_id", "grant__commitment", "key")
        )
        return FrozenCohort(members, cohort.root, cohort.bucket, bytes(cohort.seed), cohort.opened_block)

    def freeze(self, attempt: Attempt, cohort: FrozenCohort) -> None:
        grants = dict(commitments(member.commitment for member in cohort.members))
        try:
            with transaction.atomic():
                row = Cohort.objects.create(
                    study=attempt.study,
                    round=attempt.round,
                    attempt=attempt.attempt,
                    kind=attempt.kind,
                    root=cohort.root,
                    bucket=cohort.bucket,
                    seed=cohort.seed,
                    opened_block=cohort.opened_block,
                )
                CohortEntry.objects.bulk_create(
                    CohortEntry(
                        cohort=row,
                        patient_id=uuid.UUID(member.patient),
                        grant_id=grants[member.commitment],
                        key=member.key,
                    )
                    for member in cohort.members
                )
        except IntegrityError:
            raise TrainingError("site.cohort-known", "this attempt's cohort is frozen already") from None


def opened(grant: Grant, handed_in: Collection[str], lapses: Mapping[str, Lapse]) -> Standing:
    """What the gate looks at. A grant that stands and cannot be opened here may say no, so it comes without details."""
    here = grant.local_withdrawn_at is not None or grant.commitment in handed_in
    try:
        view, secret, age = grant.view(NOW, lapses.get(grant.text)), bytes(grant.secret), grant.patient.age
    except (CovenantError, ValueError):
        view, secret, age = grant.unread, b"", None
    if len(secret) != 32:
        view = grant.unread
    return Standing(
        patient=str(grant.patient_id),
        commitment=grant.commitment,
        view=view,
        attestation=grant.attestation,
        secret=secret,
        recorded_block=grant.recorded_block,
        withdrawn_block=grant.withdrawn_block,
        withdrawn_by=grant.withdrawn_by or None,
        withdrawn_here=here,
        speaker=str(grant.mandate_id or ""),
        mandate_ended=None if grant.mandate is None else grant.mandate.ended_at,
        age=age,
    )


def owners(rows: Collection[str]) -> dict[str, str]:
    """Patient -> their row among `rows`. Patients with several rows are left out: plans count one record each.

    So is a row that several entries claim (somebody enrolled twice): one entry's consent must not use another's record.
    """
    wanted, found, claims = set(rows), dict[str, str](), Counter[str]()
    for patient, sealed in Patient.objects.values_list("id", "sealed_records"):
        own = [row for row in json.loads(sealed) if row in wanted]
        claims.update(own)
        if len(own) == 1:
            found[str(patient)] = own[0]
    return {patient: row for patient, row in found.items() if claims[row] == 1}


def commitments(wanted: Iterable[str]) -> Iterator[tuple[str, uuid.UUID]]:
    for chunk in chunks(list(wanted)):
        yield from Grant.objects.filter(commitment__in=chunk).values_list("commitment", "id")


def chunks(names: Collection[str]) -> Iterator[list[str]]:
    every = list(names)
    for start in range(0, len(every), CHUNK):
        yield every[start : start + CHUNK]
