"""Which data sets there are: each version with its roots, terms and lineage; never a record.

State: `catalogue/dataset/<dataset>/<version>` -> DatasetRecord, `catalogue/raw/<digest>` -> Raw. A lineage root is the
data set that a chain of versions and derivations started from; a raw file belongs to one lineage root for ever.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from msgspec.structs import replace

from consent import cohort, diseases
from consent.canonical import Document
from consent.errors import ConsentError
from consent.occasion import Category
from consent.terms import Condition, DatasetTerms, check_written
from ledger.contracts import accounts
from ledger.contracts.fields import Code, DatasetId, Digest, Name, Positive, Seconds, Title, Unit
from ledger.contracts.functions import Contract, Role, query, transaction
from ledger.contracts.state import Ledger, agree
from ledger.errors import Refused

Terms = Annotated[tuple[Annotated[str, Meta(max_length=32)], ...], Meta(max_length=32)]
Transformation = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}@[0-9a-f]{64}\Z", description="a name, @, a digest")
]


class Parent(Document, frozen=True):
    """The data set version that another one was derived from."""

    dataset: DatasetId
    version: Positive


class DatasetVersion(Document, frozen=True, kw_only=True):
    """One version as its owner describes it.

    `root`: Merkle root over salted record digests. `raw`: digest of the raw file. `transformation`: what made it from
    its raw file or parent. `duo`, `diseases`: its own terms. `conditions`: the values of those terms
    that need one. `size_bucket`: how many patients, as a bucket. `categories`: the kinds of data that it holds; where
    nobody says, patients who allow some kinds only are left out. `unit`: what counts as a patient, and is protected
    where it trains: an image, where the source names no patients.
    """

    dataset: DatasetId
    version: Positive
    title: Title
    root: Digest
    raw: Digest
    parent: Parent | None
    transformation: Transformation
    schema: Digest
    duo: Terms
    diseases: Terms
    conditions: Annotated[tuple[Condition, ...], Meta(max_length=32)] = ()
    modality: Code
    size_bucket: Name
    records_per_patient: Positive
    croissant: Digest
    categories: Annotated[tuple[Category, ...], Meta(max_length=32)] = ()
    unit: Unit = "patient"

    @property
    def terms(self) -> DatasetTerms:
        return DatasetTerms(duo=self.duo, diseases=self.diseases, conditions=self.conditions)


class DatasetRecord(DatasetVersion, frozen=True, kw_only=True):
    """A registered version. `lineage`: the data set at its root."""

    hospital: str
    lineage: str
    registered: Seconds
    status: Literal["live", "retired"]


class Raw(Document, frozen=True):
    """Which lineage root a raw file belongs to."""

    raw: Digest
    lineage: str


class Catalogue(Contract):
    """What can be asked for. A hospital registers its own data, and only with an open privacy account."""

    name = "catalogue"

    @transaction(role=Role.STEWARD, event="catalogue.registered")
    def register(self, ledger: Ledger, dataset: DatasetVersion, /) -> DatasetRecord:
        """Register a version of a data set of the caller's hospital; it can never be changed, only retired.

        Refuses `catalogue.not-owner`, `catalogue.duo-unknown`, `catalogue.duo-value` (a modifier without the value it
        needs, or with one it cannot take), `catalogue.disease-unknown`, `catalogue.size-bucket`, `catalogue.unit`
        (several records of one image, or images made of patients' data), `catalogue.known-differently`,
        `budget.no-account`, `budget.delta` (the account's, for so many patients), `catalogue.parent-unknown`,
        `catalogue.version-gap`, `catalogue.lineage-mismatch`, `catalogue.raw-known` (the same raw file stands under
        another lineage root).
        """
        hospital = require_owner(ledger, dataset.dataset)
        check_terms(dataset)
        if dataset.unit == "image" and dataset.records_per_patient != 1:
            message = "where an image is the unit, each counts by itself: register it with one record a patient"
            raise Refused("catalogue.unit", message, records_per_patient=dataset.records_per_patient)
        fields = {name: getattr(dataset, name) for name in dataset.__struct_fields__}
        offered = DatasetRecord(**fields, hospital=hospital, lineage="", registered=ledger.now, status="live")
        if standing := ledger.find(key(dataset.dataset, dataset.version), DatasetRecord):
            agree(standing, offered, "catalogue.known-differently", "lineage", "registered", "status")
            return standing
        accounts.check_delta_for(accounts.require(ledger, hospital), cohort.bucket_top(dataset.size_bucket))
        offered = replace(offered, lineage=lineage_of(ledger, dataset))
        raw = ledger.find(raw_key(dataset.raw), Raw)
        if raw is not None and raw.lineage != offered.lineage:
            raise Refused(
                "catalogue.raw-known",
                "this raw file is registered already: register a new version, or name "
                "the data set it was derived from as parent",
                lineage=raw.lineage,
            )
        if raw is None:
            ledger.put(raw_key(dataset.raw), Raw(raw=dataset.raw, lineage=offered.lineage))
        ledger.put(key(dataset.dataset, dataset.version), offered)
        return offered

    @transaction(role=Role.STEWARD, event="catalogue.retired")
    def retire(self, ledger: Ledger, *, dataset: DatasetId, version: Positive) -> DatasetRecord:
        """Take a version of the caller's hospital out of use: no new study, no new round.

        Refuses `catalogue.not-owner`, `catalogue.unknown`.
        """
        require_owner(ledger, dataset)
        standing = require(ledger, dataset, version)
        if standing.status == "retired":
            return standing
        retired = replace(standing, status="retired")
        ledger.put(key(dataset, version), retired)
        return retired

    @query
    def get(self, ledger: Ledger, *, dataset: DatasetId, version: Positive) -> DatasetRecord | None:
        """The version, or null."""
        return ledger.find(key(dataset, version), DatasetRecord)


def key(dataset: str, version: int) -> str:
    return f"catalogue/dataset/{dataset}/{version}"


def raw_key(digest: str) -> str:
    return f"catalogue/raw/{digest}"


def owner_of(dataset: str) -> str:
    """The MSP id of the hospital that the data set belongs to."""
    return dataset.partition("/")[0]


def require_owner(ledger: Ledger, dataset: str) -> str:
    """The caller's hospital, if the data set is its own; refuses `catalogue.not-owner`."""
    hospital = ledger.creator.organisation
    if owner_of(dataset) != hospital:
        raise Refused(
            "catalogue.not-owner",
            "only the hospital named before the slash decides about this data set",
            dataset=dataset,
        )
    return hospital


def require(ledger: Ledger, dataset: str, version: int) -> DatasetRecord:
    """The version; refuses `catalogue.unknown`."""
    standing = ledger.find(key(dataset, version), DatasetRecord)
    if standing is None:
        raise Refused("catalogue.unknown", "this data set version is not registered", dataset=dataset, version=version)
    return standing


def require_live(ledger: Ledger, dataset: str, version: int) -> DatasetRecord:
    """The version; refuses `catalogue.unknown`, `catalogue.retired`."""
    standing = require(ledger, dataset, version)
    if standing.status == "retired":
        raise Refused("catalogue.retired", "this data set version was retired", dataset=dataset, version=version)
    return standing


def lineage_of(ledger: Ledger, dataset: DatasetVersion) -> str:
    """The lineage root: that of the version before, that of the parent, or the data set itself.

    Refuses `catalogue.version-gap`, `catalogue.parent-unknown`, `catalogue.lineage-mismatch`, `catalogue.unit`.
    """
    earlier = list[DatasetRecord]()
    if dataset.version > 1:
        before = ledger.find(key(dataset.dataset, dataset.version - 1), DatasetRecord)
        if before is None:
            raise Refused("catalogue.version-gap", "register the versions in order", version=dataset.version)
        earlier.append(before)
    if dataset.parent is not None:
        parent = ledger.find(key(dataset.parent.dataset, dataset.parent.version), DatasetRecord)
        if parent is None or parent.hospital != owner_of(dataset.dataset):
            raise Refused(
                "catalogue.parent-unknown",
                "name a parent that this hospital has registered",
                parent=dataset.parent.dataset,
            )
        earlier.append(parent)
    if len({one.lineage for one in earlier}) > 1:
        raise Refused("catalogue.lineage-mismatch", "the version before and the parent have different lineage roots")
    if dataset.unit == "image" and any(one.unit == "patient" for one in earlier):
        raise Refused("catalogue.unit", "what was made of patients' data counts patients: keep the unit it came from")
    return earlier[0].lineage if earlier else dataset.dataset


def check_terms(dataset: DatasetVersion) -> None:
    """Refuses `catalogue.duo-unknown`, `catalogue.duo-value`, `catalogue.disease-unknown`, `catalogue.size-bucket`."""
    try:
        check_written(dataset.terms)
    except ConsentError as error:
        code = "catalogue.duo-value" if error.code.startswith("duo.value") else "catalogue.duo-unknown"
        raise Refused(code, error.message, **error.context) from None
    for code in dataset.diseases:
        try:
            diseases.disease(code)
        except ConsentError as error:
            raise Refused("catalogue.disease-unknown", error.message, disease=code) from None
    try:
        cohort.bucket_top(dataset.size_bucket)
    except ConsentError as error:
        raise Refused("catalogue.size-bucket", error.message, size_bucket=dataset.size_bucket) from None
