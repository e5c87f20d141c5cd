"""The consent texts patients are shown, word for word as they lie in `wording/`: changed words are a new version.

A text's digest stands in the signed details and on the ledger (`consents:PublishText`). A file that is not the one
published is neither shown nor signed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from django.db import DatabaseError
from django.utils.translation import gettext_noop
from markdown_it import MarkdownIt

from consent import texts
from consent.errors import ConsentError, CovenantError
from consent.texts import CHILD, ConsentText
from portal import ledger
from portal.errors import PortalError
from portal.ledger import Committed
from portal.patients import reading_level, selectors

log = structlog.get_logger(__name__)

WORDING = Path(__file__).parent / "wording"
FIRST = "heart-2026.1"  # what a new consortium starts with
LANGUAGE = "en"


def text(version: str, language: str = LANGUAGE) -> ConsentText:
    """The wording of `version` in `language`, as it was published.

    Raises PortalError `patients.text-unknown`, `patients.text-changed`, ConsentError `texts.*`.
    """
    found = version_files(WORDING, version).get(language)
    if found is None:
        raise PortalError(
            "patients.text-unknown", gettext_noop("this hospital has no consent text of that name and language")
        )
    record = selectors.published(version)
    if record is not None and record["digests"].get(language) != found.digest:
        raise PortalError(
            "patients.text-changed",
            f"{version}.{language}.md is not the file that was published: put that file back, or publish the new words"
            " as a new version",
        )
    return found


def current() -> str:
    """The version to ask under: the last that stands on the ledger. Before any does, the first: the ledger decides.

    Raises PortalError `patients.text-missing`.
    """
    series = [one for one in versions() if selectors.published(one)]
    superseded = selectors.successors()
    standing = [one for one in series if one not in superseded]
    if series and not standing:
        newer = superseded[series[-1]]
        raise PortalError("patients.text-missing", f"consent text {newer} stands on the ledger: install its files here")
    return standing[-1] if standing else FIRST


def is_old(version: str) -> bool:
    """Whether a newer version of this text stands on the ledger."""
    return version in selectors.successors()


def languages(version: str) -> list[str]:
    """The languages that `version` lies here in, the words for children among them (`en-x-child`)."""
    return sorted(version_files(WORDING, version))


def offered(version: str, *, child: bool = False) -> list[str]:
    """Those to read it in: for a child the words for children, where there are some and they were published."""
    found = languages(version)
    record = selectors.published(version)
    told = [one for one in found if one.endswith(CHILD) and (record is None or one in record["digests"])]
    return told if child and told else [one for one in found if not one.endswith(CHILD)]


def wanted(asked: str, version: str, *, child: bool = False) -> ConsentText:
    """`version` in the language `asked`, or the nearest that is offered."""
    found, plain = offered(version, child=child), asked.removesuffix(CHILD)
    near = (plain + CHILD, plain, LANGUAGE + CHILD, LANGUAGE)
    return text(version, next((one for one in near if one in found), found[0]))


def versions() -> list[str]:
    """Every version in `wording/`, each after the one it supersedes."""
    before = {one: next(iter(version_files(WORDING, one).values())).front.supersedes for one in names(WORDING)}

    def depth(one: str) -> tuple[int, str]:
        steps, older = 0, before[one]
        while older is not None and steps < len(before):
            steps, older = steps + 1, before.get(older)
        return steps, one

    return sorted(before, key=depth)


def changes(since: str, version: str, language: str) -> list[str]:
    """What is new in `version` for somebody who said yes under `since`, the newest first."""
    said: list[str] = []
    step: str | None = version
    while step is not None and step != since:
        front = text(step, language).front
        said += front.changes
        step = front.supersedes
    return said


def publication(version: str = FIRST) -> dict[str, Any]:
    """The arguments of `consents:PublishText` for `version`, all its languages."""
    files = version_files(WORDING, version)
    front = next(iter(files.values())).front
    return {
        "text": version,
        "digests": {language: one.digest for language, one in files.items()},
        "presets": list(front.presets),
        "supersedes": front.supersedes,
        "still_permits": front.still_permits,
    }


def publish(version: str) -> Committed:
    """Put `version` on the ledger, once every language of it is easy enough to read.

    Raises PortalError `patients.text-unknown`, `patients.text-hard`, `patients.reading-level`, ConsentError `texts.*`,
    and the contract's refusals.
    """
    files = version_files(WORDING, version)
    if not files:
        raise PortalError("patients.text-unknown", f"there is no file {version}.en.md among the consent texts")
    for language, one in files.items():
        hardest = reading_level.hardest(language)
        if (found := reading_level.grade(one.body, language)) > hardest:
            raise PortalError(
                "patients.text-hard",
                f"{version}.{language}.md asks for {found:.1f} years at school: write shorter words and sentences, for"
                f" {hardest:.0f} at most",
            )
    return ledger.submit("steward", "consents:PublishText", publication(version))


def html(wording: ConsentText) -> str:
    """The words as HTML. Headings, lists and emphasis are all there is: anything else stands as it was typed."""
    rendered: str = MarkdownIt("zero").enable(["heading", "list", "emphasis"]).render(wording.body)
    return rendered


def report_changed() -> None:
    """Log every version that cannot be shown. The hospital's pages go on: a withdrawal needs no text."""
    for version in names(WORDING):
        try:
            for language in languages(version):
                text(version, language)
        except CovenantError as error:
            log.error("consent text refused", code=error.code, text=version)
        except DatabaseError as error:
            log.error("consent text not checked", error=type(error).__name__, text=version)


def names(folder: Path) -> list[str]:
    return sorted({version_of(file) for file in folder.glob("*.md")})


def version_of(file: Path) -> str:
    return file.name.removesuffix(".md").rpartition(".")[0]


@lru_cache(maxsize=64)
def version_files(folder: Path, version: str) -> dict[str, ConsentText]:
    """The wordings of `version` by language. Raises ConsentError `texts.*`, naming the file."""
    found: dict[str, ConsentText] = {}
    for file in sorted(file for file in folder.glob("*.md") if version_of(file) == version):
        try:
            one = ConsentText.read(file.read_bytes())
        except ConsentError as error:
            raise ConsentError(error.code, f"{file.name}: {error.message}") from None
        if file.name != f"{one.front.id}.{one.front.language}.md":
            raise ConsentError("texts.front-matter", f"{file.name}: name the file after its id and language")
        found[one.front.language] = one
    texts.agree(found.values())
    return found
