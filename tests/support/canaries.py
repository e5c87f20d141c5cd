"""What must be nowhere outside a hospital's own store, and a search that looks through what is spelled inside what.

wanted = of_hospitals(layout)                       # secrets, codes, keys, record ids and rows of every patient
Search(wanted).places(layout.directory, outside(layout))   # -> {(path, kind)}: empty, or something leaked
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from portal.config import VARIABLE
from portal.demo.layout import HOSPITALS, Layout

DEPTH = 3  # base64 or hexadecimal within base64 within base64: what Celery makes of a message
SHORTEST = 8  # bytes; anything shorter is found by chance
CHUNK = 1 << 22
BASE64, HEXADECIMAL = re.compile(rb"[A-Za-z0-9+/_-]{12,}"), re.compile(rb"[0-9a-f]{16,}")
PLAIN = bytes.maketrans(b"-_", b"+/")
OWN = """
import json
from portal.patients.models import Grant, Key, Patient
kept = [("record id", one.encode()) for patient in Patient.objects.all() for one in patient.record_ids]
kept += [("private key", bytes(key.private)[-64:]) for key in Key.objects.all()]
for grant in Grant.objects.all():
    kept += [("secret", bytes(grant.secret)), ("withdrawal code", bytes(grant.code))]
    kept += [("salt", bytes.fromhex(grant.opened().salt)), ("statement", bytes(grant.statement))]
print(json.dumps([(kind, value.hex()) for kind, value in kept]))
"""


@dataclass(frozen=True, slots=True)
class Canary:
    kind: str
    value: bytes


def of_hospitals(layout: Layout) -> list[Canary]:
    """What only a hospital may hold, read by each hospital's own process; and every password that the demo made."""
    found = []
    for site in HOSPITALS:
        config = layout.config(site)
        told = ask(config, OWN)
        found += [Canary(kind, bytes.fromhex(value)) for kind, value in json.loads(told)]
        rows = (layout.node(site) / "data" / "records" / "heart.csv").read_bytes().splitlines()[1:]
        found += [Canary("row", row.partition(b",")[2]) for row in rows]
    people = json.loads((layout.directory / "personas.json").read_text())
    found += [Canary("password", word.encode()) for accounts in people.values() for word in accounts.values()]
    return [one for one in found if len(one.value) >= SHORTEST]


def ask(config: Path, code: str) -> str:
    """The last line that `code` prints in a process of the node."""
    program = f"import django\ndjango.setup()\n{code}"
    env = {**os.environ, VARIABLE: str(config), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def outside(layout: Layout) -> list[Path]:
    """Every file of the demo but the hospitals' own folders, what the patient took home, and the owner's passwords."""
    taken = [layout.out / name for name in ("receipt.json", "proof-in.json", "proof-out.json")]
    left_out = {*map(layout.node, HOSPITALS), layout.directory / "exports", layout.directory / "personas.json", *taken}
    files = (file for file in layout.directory.rglob("*") if file.is_file())
    kept = (file for file in files if left_out.isdisjoint((file, *file.parents)))
    return sorted(kept, reverse=True)  # a write-ahead log before its database, into which it may vanish meanwhile


class Search:
    """Looks for canaries in bytes, as they are and inside base64 and hexadecimal, at any offset."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._heads: dict[int, set[Canary]] = {}
        for one in canaries:
            self._heads.setdefault(int.from_bytes(one.value[:SHORTEST], "little"), set()).add(one)
        self._wanted = np.array(sorted(self._heads), dtype=np.uint64)

    def places(self, files: Iterable[Path]) -> set[tuple[Path, str]]:
        found = set()
        for file in files:
            with suppress(FileNotFoundError):
                found |= {(file, kind) for kind in self.kinds(file.read_bytes())}
        return found

    def kinds(self, content: bytes) -> set[str]:
        """The kinds of canaries that `content` spells."""
        return {one.kind for layer in layers(content, DEPTH) for one in self._in(layer)}

    def _in(self, content: bytes) -> Iterator[Canary]:
        for start in range(0, len(content), CHUNK):
            part = np.frombuffer(content[start : start + CHUNK + SHORTEST - 1], dtype=np.uint8).astype(np.uint64)
            windows = len(part) - SHORTEST + 1
            if windows < 1:
                return
            heads = sum((part[n : n + windows] << np.uint64(8 * n) for n in range(SHORTEST)), np.uint64(0))
            for place in np.flatnonzero(np.isin(heads, self._wanted)):
                at = start + int(place)
                head = int.from_bytes(content[at : at + SHORTEST], "little")
                yield from (one for one in self._heads[head] if content.startswith(one.value, at))


def layers(content: bytes, depth: int) -> Iterator[bytes]:
    """`content`, and what the base64 and hexadecimal runs in it spell, wherever a run begins."""
    yield content
    if depth and (inner := b"\n".join(decoded(content))):
        yield from layers(inner, depth - 1)


def decoded(content: bytes) -> Iterator[bytes]:
    for run in BASE64.findall(content):
        text = run.translate(PLAIN)
        for offset in range(4):
            piece = text[offset : len(text) - (len(text) - offset) % 4]
            tail = text[offset + len(piece) :]
            yield base64.b64decode(piece + (tail + b"=" * (4 - len(tail)) if len(tail) > 1 else b""))
    for run in HEXADECIMAL.findall(content):
        for offset in range(2):
            yield bytes.fromhex(run[offset : len(run) - (len(run) - offset) % 2].decode())
