"""What a large portal answers about a data set's terms: for committees that choose it, never for the gate.

The rules are those of DUOS (github.com/DataBiosphere/consent-ontology, DataUseMatchCasesV4.java at commit 56e6fd2): a
general purpose is approved also on data of one disease or of ancestry only, and of all modifiers only "not for profit
organisation use only" counts. What DUOS has no case for abstains.
"""

from __future__ import annotations

from collections.abc import Sequence

from consent import duo, terms
from consent.decide import covered
from consent.decision import Decision, openness
from consent.errors import ConsentError
from consent.purpose import Purpose
from consent.terms import DatasetTerms


def decide_compatibly(written: DatasetTerms, purpose: Purpose) -> Decision:
    """Whether a data set under its own terms may serve `purpose`, as DUOS has it. Never raises."""
    try:
        meant = terms.of_dataset(written)
    except ConsentError:
        return Decision("deny", "terms.unknown")
    if not meant.permissions or purpose.care:
        return Decision("abstain", "compatible.no-case")
    if {duo.NPU, duo.NPUNCU} & set(meant.modifiers) and purpose.for_profit is not False:
        return Decision("deny", "modifier.NPU")
    return max((_judge(code, meant.diseases, purpose) for code in meant.permissions), key=openness)


def _judge(code: str, allowed: Sequence[str], purpose: Purpose) -> Decision:
    if code in {duo.GRU, duo.NRES}:
        return Decision("permit", "permission.covers")  # DS_APPROVE_GRU, HMB_APPROVE_GRU, POA_APPROVE_GRU
    if purpose.duo == duo.POA or purpose.ancestry:
        alike = code == duo.POA  # POA_APPROVE_POA, POA_F1
        return Decision("permit", "permission.covers") if alike else Decision("deny", "permission.no-ancestry")
    if purpose.duo == duo.GRU:
        refused = code == duo.HMB  # HMB_F1
        return Decision("deny", "permission.wider") if refused else Decision("permit", "compatible.general")
    if code == duo.HMB:
        return Decision("permit", "permission.covers")  # HMB_APPROVE_HMB, DS_APPROVE_HMB
    if purpose.duo == duo.DS and code == duo.DS and covered(allowed, purpose.diseases):
        return Decision("permit", "permission.disease")
    return Decision("deny", "permission.wider")  # HMB_F2, HMB_F3, DS_F2
