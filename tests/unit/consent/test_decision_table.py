"""Every pair of a purpose and a permission that published matching rules decide: what they say, and what we say.

Sources: [DUO] the ontology's definitions and comments (duo.csv, duo.owl of github.com/EBISPOT/DUO); [README] the table
"Research Purpose to Query" of the same project; [V4] DataUseMatchCasesV4.java of
github.com/DataBiosphere/consent-ontology. Where our strict answer is more closed than a source's, the line says why.
"""

from __future__ import annotations

import pytest

from consent import canonical, duo
from consent.compatibility import decide_compatibly
from consent.decide import Use, decide_dataset
from consent.decision import RULES
from consent.purpose import Purpose
from consent.terms import DatasetTerms
from tests.unit.consent.examples import CANCER, CORONARY, HEART, study

USE = Use("2026-05-28", "2027-05-27")
HEART_ONLY = study(duo.DS, [HEART])
NARROWER, WIDER, BOTH = study(duo.DS, [CORONARY]), study(duo.DS, ["MONDO:0004995"]), study(duo.DS, [HEART, CANCER])
HEALTH, GENERAL, ANCESTRY = study(duo.HMB), study(duo.GRU), study(duo.POA)

# the data set's terms (for heart disease, where DS), the purpose, strict, compatible, source
TABLE: list[tuple[tuple[str, ...], Purpose, str, str, str]] = [
    ((duo.GRU,), HEART_ONLY, "permit", "permit", "[README] disease focused: GRU; [V4] DS_APPROVE_GRU"),
    ((duo.HMB,), HEART_ONLY, "permit", "permit", "[README] disease focused: HMB; [V4] DS_APPROVE_HMB"),
    ((duo.DS,), HEART_ONLY, "permit", "permit", "[README] tagged to this disease exactly"),
    ((duo.DS,), NARROWER, "permit", "permit", "[README] tagged to a parent of the disease"),
    ((duo.DS,), WIDER, "deny", "deny", "[README] a query for cancer does not retrieve lung cancer; [V4] DS_F2"),
    ((duo.DS,), BOTH, "deny", "deny", "[V4] all purpose diseases must be covered"),
    ((duo.POA,), HEART_ONLY, "deny", "deny", "[DUO] POA: limited to ancestry; [V4] DS_F2"),
    ((duo.NRES,), HEART_ONLY, "permit", "permit", "[DUO] NRES: no restriction"),
    ((duo.GRU,), HEALTH, "permit", "permit", "[DUO] HMB is a GRU; [V4] HMB_APPROVE_GRU"),
    ((duo.HMB,), HEALTH, "permit", "permit", "[V4] HMB_APPROVE_HMB"),
    ((duo.DS,), HEALTH, "deny", "deny", "[V4] HMB_F2"),
    ((duo.POA,), HEALTH, "deny", "deny", "[V4] HMB_F3"),
    ((duo.NRES,), HEALTH, "permit", "permit", "[DUO] NRES: no restriction"),
    ((duo.GRU,), GENERAL, "permit", "permit", "[DUO] GRU: any research purpose"),
    ((duo.HMB,), GENERAL, "deny", "deny", "[V4] HMB_F1"),
    ((duo.DS,), GENERAL, "deny", "permit", "[V4] no case refuses it; [DUO] DS: only the specified disease, so strict"),
    ((duo.POA,), GENERAL, "deny", "permit", "[V4] no case refuses it; [DUO] POA: limited to ancestry, so strict"),
    ((duo.NRES,), GENERAL, "permit", "permit", "[DUO] NRES: no restriction"),
    ((duo.GRU,), ANCESTRY, "abstain", "permit", "[V4] POA_APPROVE_GRU; strict: sensitive, so a person decides"),
    ((duo.HMB,), ANCESTRY, "deny", "deny", "[DUO] HMB: does not include ancestry; [V4] POA_F1"),
    ((duo.DS,), ANCESTRY, "deny", "deny", "[V4] POA_F1"),
    ((duo.POA,), ANCESTRY, "permit", "permit", "[V4] POA_APPROVE_POA"),
    ((duo.NRES,), ANCESTRY, "permit", "permit", "[DUO] NRES: no restriction"),
    ((duo.HMB, duo.NPU), study(duo.HMB, for_profit=True), "deny", "deny", "[V4] NPU: NCU_F1"),
    ((duo.HMB, duo.NPU), study(duo.HMB, for_profit=None), "deny", "deny", "[V4] null counts as false"),
    ((duo.HMB, duo.NPU), HEALTH, "permit", "permit", "[V4] NPU: a purpose without profit"),
    (
        (duo.HMB, duo.NPUNCU),
        study(duo.HMB, for_profit=True),
        "deny",
        "deny",
        "[DUO] NPUNCU: not-for-profit organizations",
    ),
    ((duo.HMB, duo.NPUNCU), study(duo.HMB, commercial=True), "deny", "permit", "[DUO] NPUNCU: not-for-profit use"),
    ((duo.HMB, duo.NCU), study(duo.HMB, commercial=True), "deny", "permit", "[README] NCU false; [V4] has no NCU"),
    (
        (duo.HMB, duo.NCU),
        study(duo.HMB, for_profit=True),
        "permit",
        "permit",
        "[DUO] NCU: commercial organisations may",
    ),
    ((duo.HMB, duo.NMDS), study(duo.HMB, methods=True), "deny", "permit", "[DUO] NMDS; [V4] approves where HMB"),
    ((duo.DS, duo.NMDS), study(duo.DS, [HEART], methods=True), "deny", "permit", "[DUO] NMDS; [README] DS-X match"),
    ((duo.GRU, duo.NPOA), ANCESTRY, "deny", "permit", "[DUO] NPOA: prohibited; [V4] reads no NPOA"),
    ((duo.HMB, duo.GSO), HEALTH, "deny", "permit", "[DUO] GSO: not phenotype research exclusively; [V4] reads no GSO"),
    ((duo.HMB, duo.GSO), study(duo.HMB, genetic=True), "permit", "permit", "[DUO] GSO: genotype research"),
    ((duo.HMB,), study(duo.HMB, care=True), "deny", "abstain", "[DUO] CC: clinical use is its own; [V4] has no case"),
    ((duo.HMB, duo.CC), study(duo.HMB, care=True), "permit", "abstain", "[DUO] CC: use is allowed for clinical care"),
    ((duo.HMB, duo.DS), HEALTH, "abstain", "permit", "[V4] either may match; strict: one permission must stand"),
    ((), HEALTH, "abstain", "abstain", "nothing is said"),
    (("DUO:9999999",), HEALTH, "deny", "deny", "unknown is never permit"),
]


@pytest.mark.parametrize(("codes", "purpose", "strict", "compatible", "source"), TABLE, ids=str)
def test_the_table(codes: tuple[str, ...], purpose: Purpose, strict: str, compatible: str, source: str) -> None:
    written = DatasetTerms(duo=codes, diseases=(HEART,) if duo.DS in codes else ())
    answers = (decide_dataset(written, purpose, USE).verdict, decide_compatibly(written, purpose).verdict)
    assert answers == (strict, compatible), source


def test_every_permission_meets_every_kind_of_purpose_in_the_table() -> None:
    pairs = {(codes[0], purpose.duo) for codes, purpose, *_ in TABLE if len(codes) == 1 and codes[0] in duo.PERMISSIONS}
    assert pairs >= {(code, kind) for code in duo.PERMISSIONS for kind in (duo.DS, duo.HMB, duo.GRU, duo.POA)}


def test_another_answer_is_another_version_of_the_rules() -> None:
    """If this fails, an answer has changed: give RULES a new version, so that stored rulings are made again."""
    answers = []
    for codes, purpose, *_ in TABLE:
        for modifier in (None, *sorted(duo.CONDITIONS)):
            written = DatasetTerms(duo=(*codes, *([modifier] if modifier else [])), diseases=(HEART,))
            for decision in (decide_dataset(written, purpose, USE), decide_compatibly(written, purpose)):
                answers.append(f"{decision.verdict} {decision.rule}")
    digest = canonical.digest("test.answers", "\n".join(answers).encode()).hex()
    assert (RULES, digest[:16]) == ("covenant.rules.2", "69d5bcfc0118279f")
