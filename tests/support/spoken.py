"""What a page says to whoever reads or hears it, to compare two languages of one page."""

from __future__ import annotations

import re
from collections.abc import Collection
from html.parser import HTMLParser

HEARD = ("aria-label", "title", "alt", "placeholder")  # attributes that are read out
VOID = frozenset({"input", "meta", "link", "br", "img", "hr"})
SAME = re.compile(r"(April|August|September|November)( \d{4})?|\W*\(UTC\)\W*|·.*|\(.*\)|[0-9a-f]{64}")


class Said(HTMLParser):
    """The texts of a page, without what is written in another language on purpose (`lang`), for a computer (`code`,
    `digest`) or is somebody's name (`brand`, `account`)."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language, self.open, self.found = language, list[bool](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        apart = named.get("lang") not in (None, self.language) or tag in ("code", "script", "style")
        apart |= any(
            one in ("digest", "withdrawal-code", "brand", "account") for one in (named.get("class") or "").split()
        )
        if tag not in VOID:
            self.open.append(apart)
        for name in HEARD:
            self.note(named.get(name) or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.note(data)

    def note(self, text: str) -> None:
        if not any(self.open) and re.search(r"[^\W\d_]{2}", text):
            self.found.add(" ".join(text.split()))


def said(page: str, language: str) -> set[str]:
    parser = Said(language)
    parser.feed(page)
    return parser.found


def untranslated(english: str, german: str, names: Collection[str] = ()) -> set[str]:
    """What both pages say in the same words, beside `names`: of people, hospitals and studies."""
    assert '<html lang="en">' in english and '<html lang="de">' in german
    alike = said(english, "en") & said(german, "de") - set(names)
    return {one for one in alike if not SAME.fullmatch(one)}
