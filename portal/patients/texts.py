"""The consent texts patients are shown, word for word as they lie in `wording/`: changed words are a new version.

A text's digest stands in the signed details and on the ledger (`consents:PublishText`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from consent import canonical
from portal.errors import PortalError

WORDING = Path(__file__).parent / "wording"
CURRENT = "heart-2026.1"
LANGUAGE = "en"
PRESETS = {CURRENT: ("cancer", "general-research", "health-research", "heart-disease")}


@dataclass(frozen=True, slots=True)
class Text:
    """One wording: `digest` is 64 hex characters, over tag covenant.consent-text.v1 and the text in UTF-8."""

    id: str
    language: str
    body: str
    digest: str


@lru_cache(maxsize=32)
def text(version: str = CURRENT, language: str = LANGUAGE) -> Text:
    """The wording of `version` in `language`; PortalError `patients.text-unknown`."""
    file = WORDING / f"{version}.{language}.txt"
    if version not in PRESETS or not file.is_file():
        raise PortalError("patients.text-unknown", "this hospital has no consent text of that name and language")
    body = file.read_text(encoding="utf-8")
    return Text(version, language, body, canonical.digest("covenant.consent-text.v1", body.encode()).hex())


def publication(version: str = CURRENT) -> dict[str, object]:
    """The arguments of `consents:PublishText` for `version`, all its languages."""
    languages = sorted(file.name.removesuffix(".txt").rpartition(".")[2] for file in WORDING.glob(f"{version}.*.txt"))
    digests = {language: text(version, language).digest for language in languages}
    return {"text": version, "digests": digests, "presets": list(PRESETS[version])}
