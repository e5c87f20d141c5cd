"""Every pair of a purpose and a permission that published matching rules decide: what they say, and what we say.

Sources: [DUO] the ontology's definitions and comments (duo.csv, duo.owl of github.com/EBISPOT/DUO); [README] the table
"Research Purpose to Query" of the same project (README.md at commit 020f5bb); [V4] DataUseMatchCasesV4.java of
github.com/DataBiosphere/consent-ontology (commit 56e6fd2). Where our strict answer is another than a source's, the line
says why. What sources state about codes that release 2021-02-23 does not have (NCTRL, NAGR, RS-G, RS-PD, RS-POP), and
about purposes that cannot be stated here (control sets, gender, children, vulnerable people: V4 abstains), has no cell.
"""

from __future__ import annotations

from typing import Any

import pytest

from consent import canonical, duo
from consent.compatibility import decide_compatibly
from consent.decide import Use, decide_dataset
from consent.decision import RULES
from consent.purpose import Asking, Ethics, Purpose
from consent.terms import Condition, DatasetTerms
from tests.unit.consent.examples import CANCER, CORONARY, HEART, study

USE = Use("2026-05-28", "2027-05-27")
HEART_ONLY = study(duo.DS, [HEART])
NARROWER, WIDER, BOTH = study(duo.DS, [CORONARY]), study(duo.DS, ["MONDO:0004995"]), study(duo.DS, [HEART, CANCER])
HEALTH, GENERAL, ANCESTRY = study(duo.HMB), study(duo.GRU), study(duo.POA)
METHODS, FOR_GAIN = study(duo.DS, [HEART], methods=True), study(duo.HMB, commercial=True, for_profit=True)
APPROVED, ENDING = Ethics(document="11" * 32, until="2027-05-27"), Ethics(document="11" * 32, until="2027-05-26")


def asking(**who: Any) -> Purpose:
    """Health research by somebody who says `who` asks."""
    return study(duo.HMB, asking=Asking(**who))


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


HOW_METHODS: list[tuple[tuple[str, ...], Purpose, str, str, str]] = [
    ((duo.GRU,), METHODS, "permit", "permit", "[README] methods: NMDS is false; [V4] MDS_APPROVE where GRU"),
    ((duo.HMB,), METHODS, "permit", "permit", "[V4] MDS_APPROVE where HMB"),
    ((duo.DS,), METHODS, "permit", "permit", "[V4] MDS_APPROVE where the disease matches"),
    ((duo.DS,), study(duo.DS, [CANCER], methods=True), "deny", "deny", "[V4] MDS_F1: no disease match"),
    ((duo.POA,), METHODS, "deny", "deny", "[V4] MDS_APPROVE where POA, but DS_F2 denies"),
    ((duo.HMB,), FOR_GAIN, "permit", "permit", "[README] commercial: NPU and NCU are both false"),
    ((duo.GRU, duo.NPU, duo.NCU), FOR_GAIN, "deny", "deny", "[README] commercial: NPU and NCU are both false"),
    (
        (duo.HMB, duo.NPU),
        study(duo.HMB, commercial=True),
        "permit",
        "permit",
        "[DUO] NPU speaks of organisations alone; [README] asks commercial purposes and entities in one question",
    ),
    ((duo.GRU, duo.NPU), study(duo.POA, for_profit=True), "deny", "deny", "[V4] NPU: NCU_F1, whatever else approves"),
]

MODIFIED: list[tuple[str, tuple[str, ...], Purpose, str, str]] = [
    # the modifier of a data set for health research, its values, the purpose, strict, [DUO]'s definition of it
    (duo.RS, ("children only",), HEALTH, "abstain", "limited to studies of a certain research type: in words"),
    (duo.NMDS, (), HEALTH, "permit", "does not allow methods development research"),
    (duo.NMDS, (), study(duo.HMB, methods=True), "deny", "does not allow methods development research"),
    (duo.GSO, (), study(duo.HMB, genetic=True), "permit", "limited to genetic studies only"),
    (duo.GSO, (), HEALTH, "deny", "limited to genetic studies only"),
    (duo.NPUNCU, (), HEALTH, "permit", "not-for-profit organizations and not-for-profit use"),
    (duo.NPUNCU, (), study(duo.HMB, commercial=None), "deny", "not-for-profit use; silence is no word for it"),
    (duo.NPU, (), HEALTH, "permit", "not-for-profit organizations"),
    (duo.NPU, (), study(duo.HMB, for_profit=True), "deny", "not-for-profit organizations"),
    (duo.NCU, (), HEALTH, "permit", "not-for-profit use"),
    (duo.NCU, (), study(duo.HMB, commercial=True), "deny", "not-for-profit use"),
    (duo.NPOA, (), HEALTH, "permit", "purposes of population, origin, or ancestry research prohibited"),
    (duo.NPOA, (), study(duo.HMB, ancestry=True), "deny", "purposes of population, origin, or ancestry research"),
    (duo.CC, (), HEALTH, "permit", "allowed for clinical use and care: it takes nothing from research"),
    (duo.CC, (), study(duo.HMB, care=True), "permit", "allowed for clinical use and care"),
    (duo.PUB, (), asking(accepts=(duo.PUB,)), "permit", "requestor agrees to make results available"),
    (duo.PUB, (), HEALTH, "abstain", "requestor agrees: nobody has said so"),
    (duo.COL, (), asking(accepts=(duo.COL,)), "permit", "requestor must agree to collaboration"),
    (duo.COL, (), HEALTH, "abstain", "requestor must agree: nobody has said so"),
    (duo.RTN, (), asking(accepts=(duo.RTN,)), "permit", "requestor must return derived/enriched data"),
    (duo.RTN, (), HEALTH, "abstain", "requestor must return: nobody has said so"),
    (duo.IRB, (), asking(ethics=APPROVED), "permit", "requestor must provide documentation of approval"),
    (duo.IRB, (), asking(ethics=ENDING), "deny", "documentation of an approval that ends before the use does"),
    (duo.IRB, (), HEALTH, "abstain", "requestor must provide documentation: there is none yet"),
    (duo.GS, ("DE",), asking(countries=("DE",)), "permit", "within a specific geographic region"),
    (duo.GS, ("DE",), asking(countries=("DE", "US")), "deny", "within a specific geographic region: all that is said"),
    (duo.GS, ("DE",), HEALTH, "abstain", "within a specific geographic region: nobody has said where"),
    (duo.MOR, ("2027-01-01",), asking(publishes_from="2027-01-01"), "permit", "not to publish until a specific date"),
    (duo.MOR, ("2027-01-01",), asking(publishes_from="2026-12-31"), "deny", "not to publish until a specific date"),
    (duo.MOR, ("2027-01-01",), HEALTH, "abstain", "requestor agrees: nobody has said when"),
    (duo.TS, ("12",), HEALTH, "permit", "approved for a specific number of months"),
    (duo.TS, ("11",), HEALTH, "deny", "approved for a specific number of months"),
    (duo.US, ("ada",), asking(users=("ada",)), "permit", "limited to use by approved users"),
    (duo.US, ("ada",), asking(users=("ada", "eve")), "deny", "limited to use by approved users"),
    (duo.US, ("ada",), HEALTH, "abstain", "limited to use by approved users: nobody is named"),
    (duo.PS, ("heart-1",), asking(project="heart-1"), "permit", "limited to use within an approved project"),
    (duo.PS, ("heart-1",), asking(project="heart-2"), "deny", "limited to use within an approved project"),
    (duo.PS, ("heart-1",), HEALTH, "abstain", "limited to use within an approved project: none is named"),
    (duo.IS, ("AlphaMSP",), asking(institution="AlphaMSP"), "permit", "within an approved institution"),
    (duo.IS, ("AlphaMSP",), asking(institution="BetaMSP"), "deny", "within an approved institution"),
    (duo.IS, ("AlphaMSP",), HEALTH, "abstain", "within an approved institution: none is named"),
]


@pytest.mark.parametrize(("codes", "purpose", "strict", "compatible", "source"), [*TABLE, *HOW_METHODS], ids=str)
def test_the_table(codes: tuple[str, ...], purpose: Purpose, strict: str, compatible: str, source: str) -> None:
    written = DatasetTerms(duo=codes, diseases=(HEART,) if duo.DS in codes else ())
    answers = (decide_dataset(written, purpose, USE).verdict, decide_compatibly(written, purpose).verdict)
    assert answers == (strict, compatible), source


@pytest.mark.parametrize(("code", "values", "purpose", "strict", "source"), MODIFIED, ids=str)
def test_every_modifier(code: str, values: tuple[str, ...], purpose: Purpose, strict: str, source: str) -> None:
    """Large portals read one of them: NPU, and with it the half of NPUNCU that says the same."""
    conditions = (Condition(term=code, values=values),) if values else ()
    written = DatasetTerms(duo=(duo.HMB, code), conditions=conditions)
    assert decide_dataset(written, purpose, USE).verdict == strict, source
    compatible = decide_compatibly(written, purpose).verdict
    if purpose.care:
        assert compatible == "abstain"
    elif purpose.ancestry:
        assert compatible == "deny"  # [V4] POA_F1, whatever the modifier says
    else:
        assert (compatible == "deny") == (code in {duo.NPU, duo.NPUNCU} and purpose.for_profit is not False)


def test_every_modifier_permits_somebody_and_stops_somebody() -> None:
    answers = {code: {strict for one, _, _, strict, _ in MODIFIED if one == code} for code in duo.MODIFIERS}
    assert all(found - {"permit"} for code, found in answers.items() if code != duo.CC)  # it alone widens
    assert {code for code, found in answers.items() if "permit" not in found} == {duo.RS}  # a person reads the words


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
