"""The Mondo ontology's own file (mondo.obo) against the excerpt that is bundled here.

The bundled excerpt decides, at every hospital and in every contract alike; the ontology's file, which each operator can
get, tells whether the excerpt is still right, and which diseases an added code would bring along.

    >>> terms = read_obo(["[Term]", "id: MONDO:1", "name: one", "[Term]", "id: MONDO:2", "name: two", "is_a: MONDO:1"])
    >>> terms["MONDO:2"].parents, sorted(wider_in(terms, "MONDO:2"))
    (('MONDO:1',), ['MONDO:1', 'MONDO:2'])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from consent.diseases import DISEASES, wider
from consent.errors import ConsentError


class Entry(NamedTuple):
    """One disease of the ontology: its label, the codes right above it, and whether it is obsolete."""

    label: str
    parents: tuple[str, ...]
    obsolete: bool


def read_obo(lines: Iterable[str]) -> dict[str, Entry]:
    """The diseases in an OBO file, read line by line; raises ConsentError `mondo.malformed` where it holds none."""
    found: dict[str, Entry] = {}
    fields: dict[str, list[str]] = {}
    for line in (*lines, "[End]"):
        if line.startswith("["):
            _keep(fields, found)
            fields = {"": []} if line.strip() == "[Term]" else {}
        elif fields and ": " in line:
            name, value = line.split(": ", 1)
            fields.setdefault(name, []).append(value.strip())
    if not found:
        raise ConsentError("mondo.malformed", "this file holds no Mondo terms: give the ontology's mondo.obo")
    return found


def wider_in(ontology: Mapping[str, Entry], code: str) -> frozenset[str]:
    """`code` and every wider disease of the ontology; nothing for an unknown code."""
    reached, waiting = set(), [code] if code in ontology else []
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += [parent for parent in ontology[one].parents if parent in ontology]
    return frozenset(reached)


def differences(ontology: Mapping[str, Entry]) -> list[str]:
    """Where the bundled excerpt and the ontology disagree, a sentence each; none where it is an excerpt indeed."""
    found = []
    for code, disease in DISEASES.items():
        entry = ontology.get(code)
        if entry is None or entry.obsolete:
            found.append(f"{code} ({disease.label}) is {'obsolete' if entry else 'unknown'} in Mondo")
            continue
        if entry.label != disease.label:
            found.append(f"{code} is called {entry.label} in Mondo, and {disease.label} here")
        theirs, ours = wider_in(ontology, code) & DISEASES.keys(), wider(code)
        found += [f"{code} ({disease.label}) is no kind of {one} in Mondo" for one in sorted(ours - theirs)]
        found += [
            f"{code} ({disease.label}) is a kind of {one} in Mondo, and not here" for one in sorted(theirs - ours)
        ]
    return found


def _keep(fields: Mapping[str, list[str]], found: dict[str, Entry]) -> None:
    for code in fields.get("id", ()):
        if code.startswith("MONDO:"):
            parents = tuple(value.split(" ", 1)[0] for value in fields.get("is_a", ()))
            label = next(iter(fields.get("name", ())), "").removeprefix("obsolete ")
            found[code] = Entry(label, parents, fields.get("is_obsolete") == ["true"])
