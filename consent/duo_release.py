"""GA4GH's Data Use Ontology as data: the terms of release 2021-02-23 that a data set or a consent can carry.

Source: `duo.csv` and `duo.owl` of github.com/EBISPOT/DUO (CC BY 4.0), read at commits 726b06e and 933d5c6; codes,
shorthands, labels and definitions are the ontology's own. It writes one code's address with eight digits (DUO_00000044)
and its id with seven. Its kinds of investigation (DUO:0000031 to 40) tag no data and are left out.
"""

from __future__ import annotations

from typing import Final, NamedTuple

RELEASE: Final = "2021-02-23"


class Row(NamedTuple):
    """`parents`: the codes right above it, of the same kind."""

    code: str
    shorthand: str
    label: str
    definition: str
    parents: tuple[str, ...] = ()


class Obsolete(NamedTuple):
    """`read_as`: the terms that say the same today, in the ontology's words; None where nothing does."""

    label: str
    read_as: tuple[str, ...] | None


PERMISSIONS: Final = (
    Row("DUO:0000004", "NRES", "no restriction", "there is no restriction on use"),
    Row(
        "DUO:0000042", "GRU", "general research use", "use is allowed for general research use for any research purpose"
    ),
    Row(
        "DUO:0000006",
        "HMB",
        "health or medical or biomedical research",
        "use is allowed for health/medical/biomedical purposes; "
        "does not include the study of population origins or ancestry",
        ("DUO:0000042",),
    ),
    Row(
        "DUO:0000007",
        "DS",
        "disease specific research",
        "use is allowed provided it is related to the specified disease",
        ("DUO:0000006",),
    ),
    Row(
        "DUO:0000011",
        "POA",
        "population origins or ancestry research only",
        "use of the data is limited to the study of population origins or ancestry",
    ),
)

MODIFIERS: Final = (
    Row(
        "DUO:0000012",
        "RS",
        "research specific restrictions",
        "use is limited to studies of a certain research type",
    ),
    Row(
        "DUO:0000015",
        "NMDS",
        "no general methods research",
        "use does not allow methods development research (e.g., development of software or algorithms)",
    ),
    Row(
        "DUO:0000016",
        "GSO",
        "genetic studies only",
        "use is limited to genetic studies only (i.e., studies that include genotype research alone or both genotype "
        "and phenotype research, but not phenotype research exclusively)",
    ),
    Row(
        "DUO:0000018",
        "NPUNCU",
        "not for profit, non commercial use only",
        "use of the data is limited to not-for-profit organizations and not-for-profit use, non-commercial use",
    ),
    Row(
        "DUO:0000019",
        "PUB",
        "publication required",
        "requestor agrees to make results of studies using the data available to the larger scientific community",
    ),
    Row(
        "DUO:0000020",
        "COL",
        "collaboration required",
        "the requestor must agree to collaboration with the primary study investigator(s)",
    ),
    Row(
        "DUO:0000021",
        "IRB",
        "ethics approval required",
        "the requestor must provide documentation of local IRB/ERB approval",
    ),
    Row("DUO:0000022", "GS", "geographical restriction", "use is limited to within a specific geographic region"),
    Row(
        "DUO:0000024",
        "MOR",
        "publication moratorium",
        "requestor agrees not to publish results of studies until a specific date",
    ),
    Row("DUO:0000025", "TS", "time limit on use", "use is approved for a specific number of months"),
    Row("DUO:0000026", "US", "user specific restriction", "use is limited to use by approved users"),
    Row("DUO:0000027", "PS", "project specific restriction", "use is limited to use within an approved project"),
    Row(
        "DUO:0000028",
        "IS",
        "institution specific restriction",
        "use is limited to use within an approved institution",
    ),
    Row(
        "DUO:0000029",
        "RTN",
        "return to database or resource",
        "the requestor must return derived/enriched data to the database/resource",
    ),
    Row("DUO:0000043", "CC", "clinical care use", "use is allowed for clinical use and care"),
    Row(
        "DUO:0000044",
        "NPOA",
        "population origins or ancestry research prohibited",
        "use for purposes of population, origin, or ancestry research is prohibited",
    ),
    Row(
        "DUO:0000045",
        "NPU",
        "not for profit organisation use only",
        "use of the data is limited to not-for-profit organizations",
        ("DUO:0000018",),
    ),
    Row(
        "DUO:0000046",
        "NCU",
        "non-commercial use only",
        "use of the data is limited to not-for-profit use",
        ("DUO:0000018",),
    ),
)

OBSOLETE: Final = {
    "DUO:0000002": Obsolete("consent code primary category", None),
    "DUO:0000003": Obsolete("consent code secondary category", None),
    "DUO:0000005": Obsolete("general research use and clinical care", ("DUO:0000042", "DUO:0000043")),
    # it took clinical care away from DUO:0000005; today care is out wherever DUO:0000043 does not stand
    "DUO:0000014": Obsolete("research use only", ()),
}

SPELLINGS: Final = {"DUO:00000044": "DUO:0000044"}
