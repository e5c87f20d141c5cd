"""Why a decision was made, one sentence a rule, in words for a ten-year-old. Rule ids are stable; words may improve."""

from __future__ import annotations

from types import MappingProxyType

REASONS = MappingProxyType(
    {
        "consent.withdrawn": "You took back your yes, so your record is not used.",
        "consent.unknown": "We know of no yes from you, so your record is not used.",
        "consent.not-yet-recorded": "Your yes had not been written down by then.",
        "consent.unknown-choice": "We do not know this choice, so your record is not used.",
        "consent.not-opened": "Your hospital could not read the details of your yes, so your record is not used.",
        "consent.unclear-dates": "The dates of your yes make no sense, so your record is not used.",
        "consent.not-yet": "Your yes had not begun on that day.",
        "consent.expired": "Your yes was over on that day.",
        "consent.finer-choice": "You said yes to some illnesses only, and this is about another one.",
        "record.no-window": "You allowed records from any time.",
        "record.in-window": "This record is from the time that you allowed.",
        "record.undated": "We do not know when this record was made, and you allowed only some dates.",
        "record.outside-window": "This record is from a time that you did not allow.",
        "terms.unknown": "There is a rule here that we do not know, so the answer is no.",
        "terms.none": "Nothing says that this is allowed, so the answer is no.",
        "terms.no-single-permission": "The rules do not say one clear thing. A person must decide.",
        "permission.no-restriction": "Every kind of use is allowed.",
        "permission.covers": "This kind of research is allowed.",
        "permission.disease": "Research on this illness is allowed.",
        "permission.other-disease": "Only research on some illnesses is allowed, and this is about another one.",
        "permission.wider": "The research wants more than what was allowed.",
        "permission.no-ancestry": "Research on where families come from was not allowed.",
        "permission.ancestry": "This looks at where families come from. A person must decide.",
        "modifier.kept": "The extra rule is kept.",
        "modifier.needs-person": "There is an extra rule that a computer cannot check. A person must decide.",
        "modifier.NCU": "The research is for making money, and that was not allowed.",
        "modifier.NPU": "The ones who ask want to make money, and that was not allowed.",
        "modifier.NPUNCU": "Somebody wants to make money, and that was not allowed.",
        "modifier.NMDS": "The research builds general tools, and that was not allowed.",
        "modifier.NPOA": "Research on where families come from was not allowed.",
        "modifier.GSO": "Only research on genes is allowed, and this is something else.",
    }
)
