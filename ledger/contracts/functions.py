"""How a contract's methods become functions of the ledger: `@transaction` writes, `@query` only reads.

A method's parameters are its arguments: `consents:Record` is `Consents.record(self, ledger, grant)`, called with the
canonical JSON object `{"grant": {...}}`. One positional-only Struct stands for the whole object. A parameter named
`evidence` is filled from transient data, never from the arguments. Who calls comes from the certificate: the decorator
names the role, and no method ever takes an organisation's word for who it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

import msgspec

from consent.canonical import Document
from ledger.contracts.state import Ledger

F = TypeVar("F", bound=Callable[..., Any])
Reads = Callable[[Any], Sequence[str]]  # (arguments) -> keys


class Role(StrEnum):
    """The values of a certificate's `covenant.role` attribute."""

    PEER = "peer"
    REGISTRAR = "registrar"
    STEWARD = "steward"
    SITE = "site"
    RESEARCHER = "researcher"
    RUNNER = "runner"
    AUDITOR = "auditor"


ANY_ROLE = tuple(Role)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a decorator says of a method: `roles` (one of them is needed; empty: no membership asked), `event`, `reads`.

    `reads`: the keys that every call with these arguments reads which is not refused; a host fetches them together.
    """

    roles: tuple[Role, ...]
    event: str | None
    reads: Reads | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the ledger, ready to be called."""

    name: str
    terms: Terms
    arguments: type[msgspec.Struct]
    evidence: Any  # the type of the transient field, or None
    whole: bool
    method: Callable[..., Any]
    doc: str

    def call(self, ledger: Ledger, arguments: msgspec.Struct, extra: Mapping[str, Any]) -> Any:
        if self.whole:
            return self.method(ledger, arguments, **extra)
        given = {name: getattr(arguments, name) for name in arguments.__struct_fields__}
        return self.method(ledger, **given, **extra)


class Contract:
    """The base of a contract, or of a part of one: several classes may serve one `name`."""

    name: ClassVar[str]

    def functions(self) -> list[Function]:
        """The functions that this class declares, in the order of the source."""
        return [
            _function(self, name, method.__terms__)
            for name, method in vars(type(self)).items()
            if hasattr(method, "__terms__")
        ]


def transaction(*, role: Role | tuple[Role, ...], event: str, reads: Reads | None = None) -> Callable[[F], F]:
    """A function that may write. `role`: one that the caller must carry. `event`: announced when it wrote anything.
    `reads`: as in Terms.
    """
    roles = (role,) if isinstance(role, Role) else role
    return _marked(Terms(roles, event, reads))


def query(method: F) -> F:
    """A function that reads: evaluated, never ordered, so it may read ranges and must not write."""
    return _marked(Terms((), None))(method)


def _marked(terms: Terms) -> Callable[[F], F]:
    def mark(method: F) -> F:
        method.__terms__ = terms  # type: ignore[attr-defined]
        return method

    return mark


def _function(contract: Contract, name: str, terms: Terms) -> Function:
    method = getattr(contract, name)
    verb = "".join(part.capitalize() for part in name.split("_"))
    hints = get_type_hints(method, include_extras=True)
    parameters = dict(list(inspect.signature(method).parameters.items())[1:])  # the first is the ledger
    evidence = None
    if parameters.pop("evidence", None) is not None:
        evidence = next(part for part in get_args(hints["evidence"]) if part is not type(None))
    whole = [name for name, parameter in parameters.items() if parameter.kind is parameter.POSITIONAL_ONLY]
    arguments = (
        hints[whole[0]]
        if whole
        else msgspec.defstruct(
            verb, [_field(one, hints[name]) for name, one in parameters.items()], bases=(Document,), kw_only=True
        )
    )
    return Function(
        f"{contract.name}:{verb}", terms, arguments, evidence, bool(whole), method, inspect.getdoc(method) or ""
    )


def _field(parameter: inspect.Parameter, hint: Any) -> tuple[str, Any] | tuple[str, Any, Any]:
    """The argument of a parameter, for `msgspec.defstruct`: one with a default may be left out."""
    required = parameter.default is parameter.empty
    return (parameter.name, hint) if required else (parameter.name, hint, parameter.default)
