"""docs/formats/contracts.md, written from the code: `python -m ledger.contracts.describe > docs/formats/contracts.md`.

A test fails when the file and the code differ.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from types import ModuleType

import msgspec

from ledger.contracts import constitution, host
from ledger.contracts.functions import ANY_ROLE, Function

CODE = re.compile(r"`([a-z]+\.[a-z-]+)`")
STATE = re.compile(r"`([a-z]+/[^`]*)` -> (\w+)")

HEAD = """# Contracts: functions, arguments, state, events, refusals

Written by `python -m ledger.contracts.describe` from the code; do not edit.

A transaction's arguments are two: the function's name, and one canonical JSON object with exactly the names listed. The
answer is canonical JSON. Every value of the state is a canonical JSON object. Every transaction that writes emits one
event, a name without payload: what was written stands in the transaction's own write set, once. The same transaction
again answers with what stands, writes nothing and emits nothing. Queries read; they are evaluated, never ordered.

Any function may refuse `function.unknown`, `arguments.count`, `arguments.not-canonical`, `arguments.invalid`,
`role.missing`, `members.unknown`, `members.not-founded`, `contracts.fault`; those with evidence also
`<contract>.evidence-missing`, `<contract>.evidence-invalid`; purposes `purpose.kind`, `purpose.diseases`,
`diseases.unknown`; days and months `periods.malformed`.

Before a function is called, the host of either ledger may refuse `host.clock-skew` (the proposal's time is more than
300 s from its own). It stops a function that breaks a rule of the house: `host.read-after-write`,
`host.range-in-write`, `host.second-event`, `host.empty`. The host of a Fabric peer may also refuse
`host.indirect-call`, `host.other-transaction`, `host.peer-failed`, `host.expected-unread`, `host.failed`.
"""


def document() -> str:
    """The whole text."""
    return "\n".join([HEAD, *limits(), *functions(), *state(), *kinds()]).rstrip() + "\n"


def limits() -> Iterator[str]:
    yield "## Hard limits\n"
    for name, value in vars(constitution).items():
        if name.isupper():
            shown = sorted(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
            yield f"- `{name}`: {shown}"
    yield ""


def state() -> Iterator[str]:
    """Every kind of state value: its key, its record, its fields."""
    yield "## State\n"
    for module in modules():
        for key, name in STATE.findall(" ".join((inspect.getdoc(module) or "").split())):
            yield f"### `{key}`\n"
            yield f"{name}: {summary(getattr(module, name))}\n"
            yield from fields(getattr(module, name))
            yield ""


def functions() -> Iterator[str]:
    yield "## Functions\n"
    for function in host.FUNCTIONS.values():
        yield f"### `{function.name}`\n"
        yield from facts(function)
        yield ""
        yield f"{function.doc}\n"


def kinds() -> Iterator[str]:
    """The Structs that stand inside arguments, evidence and state, each once."""
    yield "## Kinds of value\n"
    found: dict[str, type[msgspec.Struct]] = {}
    for function in host.FUNCTIONS.values():
        for field in structure(function.arguments).fields:
            collect(field.type, found)
        if function.evidence is not None:
            collect(msgspec.inspect.type_info(function.evidence), found)
    for name in sorted(found):
        yield f"### {name}\n"
        yield f"{summary(found[name])}\n"
        info = structure(found[name])
        if info.tag_field is not None:
            yield f'- `{info.tag_field}`: "{info.tag}"'
        yield from fields(found[name])
        yield ""


def collect(info: msgspec.inspect.Type, found: dict[str, type[msgspec.Struct]]) -> None:
    """Add every Struct inside `info` to `found`, by name."""
    inspect_ = msgspec.inspect
    match info:
        case inspect_.StructType(cls=cls, fields=inner):
            if cls.__name__ not in found:
                found[cls.__name__] = cls
                for field in inner:
                    collect(field.type, found)
        case inspect_.UnionType(types=types):
            for one in types:
                collect(one, found)
        case inspect_.VarTupleType(item_type=inside) | inspect_.Metadata(type=inside):
            collect(inside, found)


def facts(function: Function) -> Iterator[str]:
    if function.terms.event is None:
        yield "- query"
    else:
        roles = "any role" if function.terms.roles == ANY_ROLE else ", ".join(function.terms.roles) or "see below"
        yield f"- role: {roles}"
        yield f"- event: `{function.terms.event}`"
    yield from fields(function.arguments)
    if function.evidence is not None:
        yield f"- transient `evidence`: {spelled(msgspec.inspect.type_info(function.evidence))}"


def fields(kind: type[msgspec.Struct]) -> Iterator[str]:
    for field in structure(kind).fields:
        yield f"- `{field.name}`: {spelled(field.type)}"


def structure(kind: type[msgspec.Struct]) -> msgspec.inspect.StructType:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return info


def spelled(info: msgspec.inspect.Type) -> str:  # noqa: PLR0911  # one line a kind of type
    """A type in words, a Struct by its name."""
    inspect_ = msgspec.inspect
    match info:
        case inspect_.Metadata(type=inner, extra_json_schema=extra):
            return str((extra or {}).get("description", "")) or spelled(inner)
        case inspect_.StructType(cls=cls):
            return cls.__name__
        case inspect_.UnionType(types=types):
            return " or ".join(spelled(one) for one in types)
        case inspect_.VarTupleType(item_type=item):
            return f"list of {spelled(item)}"
        case inspect_.TupleType(item_types=items):
            return "(" + ", ".join(spelled(one) for one in items) + ")"
        case inspect_.DictType(key_type=key, value_type=value):
            return f"object from {spelled(key)} to {spelled(value)}"
        case inspect_.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case inspect_.IntType(ge=low, le=high):
            return "integer" if low is None else f"integer {low}..{high}"
        case inspect_.StrType():
            return "text"
        case inspect_.BoolType():
            return "true or false"
        case inspect_.NoneType():
            return "null"
    raise TypeError(f"no words for {info}")


def refusals(function: Function) -> set[str]:
    """The codes that a function's docstring lists."""
    return set(CODE.findall(function.doc))


def modules() -> list[ModuleType]:
    """The modules of the contracts, by name."""
    names = sorted(name for name in sys.modules if name.startswith("ledger.contracts."))
    return [sys.modules[name] for name in names]


def summary(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


if __name__ == "__main__":
    print(document(), end="")
