"""The choices a patient is offered: each preset names the terms that a signed consent to it means.

A preset's meaning never changes: new terms get a new name, since signed statements carry the name alone.
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
    }
)


def preset(name: str) -> Terms:
    """The terms of the preset `name`; raises ConsentError `presets.unknown`."""
    if name not in PRESETS:
        raise ConsentError("presets.unknown", f"there is no choice named {name!r}: offer one of {', '.join(PRESETS)}")
    return PRESETS[name]
