"""The German words of the pages: what is marked in the sources, the .po that people write, the .mo that Django reads.

`python -m tests.support.catalogue` adds what is newly marked to the .po, drops what is marked no more, and writes the
.mo. No tool but Python is needed.
"""

from __future__ import annotations

import ast
import gettext
import io
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from consent.diseases import DISEASES
from consent.reasons import REASONS

PORTAL = Path(__file__).parents[2] / "portal"
PO = PORTAL / "locale" / "de" / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")
CALLS = frozenset({"_", "gettext", "gettext_lazy", "gettext_noop"})
STAFFS = ("desk", "mandate", "refused_withdrawals", "_monthly")  # how the names of the others in these places begin
ALIKE = re.compile(r"\b(Covenant|UTC)\b")  # in every language
HEADER = "Language: de\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"
IN_TEMPLATES = re.compile(r'{% translate "([^"]+)"|{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}', re.DOTALL)
ENTRY = re.compile(r'^msgid (".*")\nmsgstr (".*")$', re.MULTILINE)


def marked() -> set[str]:
    """Every msgid in the portal's modules and templates, and what `consent` says that patients read."""
    found = {*REASONS.values(), *(one.plain for one in DISEASES.values())}
    found |= {msgid for file in sorted(PORTAL.rglob("*.py")) for msgid in in_module(file.read_text())}
    for file in sorted(PORTAL.rglob("*.html")):
        for plain, block in IN_TEMPLATES.findall(file.read_text()):
            found.add(plain or re.sub(r"{{ (\w+) }}", r"%(\1)s", block))
    return found


def patients_pages() -> list[Path]:
    """The templates of pages that patients, those who speak for them and visitors see."""
    shared, apps = PORTAL / "templates", (PORTAL / "patients" / "templates", PORTAL / "withdrawals" / "templates")
    found = [file for place in (shared, *apps) for file in sorted(place.rglob("*.html"))]
    return [file for file in found if not file.name.startswith(STAFFS)]


def unmarked(page: str) -> list[str]:
    """The words that a template says without marking them for translation, or reads out (`aria-label`)."""
    heard = re.findall(r'aria-label="([^"{]+)"', page)
    plain = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}|{#.*?#}|{%.*?%}|{{.*?}}", " ", page, flags=re.DOTALL)
    plain = re.sub(r"<(code|script)\b.*?</\1>|<[^>]*>|&\w+;", "\n", plain, flags=re.DOTALL)
    lines = (ALIKE.sub("", line).strip() for line in plain.splitlines())
    return [*heard, *(line for line in lines if re.search(r"[^\W\d_]{2}", line))]


def in_module(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            said = node.args[0]
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield said.value


def written() -> dict[str, str]:
    """What the .po says: msgid -> msgstr."""
    entries = ((ast.literal_eval(msgid), ast.literal_eval(msgstr)) for msgid, msgstr in ENTRY.findall(PO.read_text()))
    return {msgid: msgstr for msgid, msgstr in entries if msgid}


def compiled() -> dict[str, str]:
    """What Django reads from the .mo."""
    catalogue = gettext.GNUTranslations(io.BytesIO(MO.read_bytes()))._catalog  # type: ignore[attr-defined]
    return {msgid: msgstr for msgid, msgstr in catalogue.items() if msgid}


def write(words: Mapping[str, str]) -> None:
    """Both files, in the order of the msgids."""
    order = sorted(words)
    quoted = [(quote(msgid), quote(words[msgid])) for msgid in order]
    lines = [f"msgid {msgid}\nmsgstr {msgstr}\n" for msgid, msgstr in [('""', quote(HEADER)), *quoted]]
    PO.write_text("\n".join(lines))
    MO.write_bytes(mo([("", HEADER), *((msgid, words[msgid]) for msgid in order)]))


def quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def mo(entries: list[tuple[str, str]]) -> bytes:
    """The binary form (GNU gettext manual, "The Format of GNU MO Files"); `entries` in order of the msgids."""
    pairs = sorted((msgid.encode(), msgstr.encode()) for msgid, msgstr in entries)
    count, start = len(pairs), 28
    at, tables, body = start + 16 * count, [b"", b""], b""
    for side in (0, 1):
        for pair in pairs:
            tables[side] += struct.pack("<II", len(pair[side]), at + len(body))
            body += pair[side] + b"\0"
    head = struct.pack("<IIIIIII", 0x950412DE, 0, count, start, start + 8 * count, 0, start + 16 * count)
    return head + tables[0] + tables[1] + body


if __name__ == "__main__":
    known = written() if PO.exists() else {}
    write({msgid: known.get(msgid, "") for msgid in marked()})
