"""The choices a patient is offered: each preset names the terms that a signed consent to it means.

A preset's meaning never changes: new terms get a new name, since signed statements carry the name alone. What a patient
narrows further stays in the details; what is wider needs a preset of its own, such as those that let companies use
the record to make money.
"""

from __future__ import annotations

from types import MappingProxyType

from consent import diseases, duo
from consent.errors import ConsentError
from consent.terms import Terms

PRESETS = MappingProxyType(
    {
        "heart-disease": Terms((duo.DS,), (duo.NCU,), (diseases.HEART,)),
        "cancer": Terms((duo.DS,), (duo.NCU,), (diseases.CANCER,)),
        "health-research": Terms((duo.HMB,), (duo.NCU,)),
        "general-research": Terms((duo.GRU,), (duo.NCU,)),
        "heart-disease-for-all": Terms((duo.DS,), (), (diseases.HEART,)),
        "cancer-for-all": Terms((duo.DS,), (), (diseases.CANCER,)),
        "health-research-for-all": Terms((duo.HMB,)),
        "general-research-for-all": Terms((duo.GRU,)),
    }
)
FOR_ALL = "-for-all"


def preset(name: str) -> Terms:
    """The terms of the preset `name`; raises ConsentError `presets.unknown`."""
    if name not in PRESETS:
        raise ConsentError("presets.unknown", f"there is no choice named {name!r}: offer one of {', '.join(PRESETS)}")
    return PRESETS[name]


def within(inner: str, outer: str) -> bool:
    """Whether all that the preset `inner` permits, `outer` permits too. Raises ConsentError `presets.unknown`."""
    small, big = preset(inner), preset(outer)
    if not set(big.modifiers) <= set(small.modifiers):
        return False
    if small.permissions == big.permissions:
        return all(any(diseases.covers(one, other) for one in big.diseases) for other in small.diseases)
    return big.permissions[0] in {general.code for general in duo.generalisations(small.permissions[0])}
