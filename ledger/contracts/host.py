"""The door of the contracts: the one function that both hosts call.

`invoke` finds the function, asks for the caller's role, refuses arguments that are not strictly what they must be, and
only then lets the contract speak. Whatever goes wrong leaves as Refused, and a host discards what a refused call wrote.
"""

from __future__ import annotations

from concurrent.futures import Executor
from hashlib import sha256
from pathlib import Path
from typing import Any

import consent
from consent import canonical
from consent.errors import CanonicalRefused, CovenantError
from ledger.contracts.access import Access
from ledger.contracts.budget import Budget
from ledger.contracts.catalogue import Catalogue
from ledger.contracts.closings import Closings
from ledger.contracts.consents import Consents
from ledger.contracts.contributions import Contributions
from ledger.contracts.functions import Contract, Function
from ledger.contracts.governance import Governance
from ledger.contracts.members import Members, org_key, require_role
from ledger.contracts.releases import Releases
from ledger.contracts.rounds import Rounds
from ledger.contracts.state import Ledger, read, written
from ledger.contracts.stub import Stub
from ledger.contracts.studies import Studies
from ledger.errors import Refused

VERSION = "0.1.0"

CONTRACTS: tuple[Contract, ...] = (
    Members(),
    Governance(),
    Consents(),
    Catalogue(),
    Budget(),
    Access(),
    Studies(),
    Rounds(),
    Contributions(),
    Releases(),
    Closings(),
)
FUNCTIONS: dict[str, Function] = {function.name: function for part in CONTRACTS for function in part.functions()}


def invoke(stub: Stub, args: list[bytes], *, pool: Executor | None = None) -> bytes:
    """The canonical JSON answer of the function named by `args`.

    `args`: the function's name, `<contract>:<Verb>`, and its arguments, one canonical JSON object.
    `pool`: helpers for the work that many signatures make, threads or processes; the answer does not depend on it.
    Raises Refused, and nothing else: `function.unknown`, `arguments.count`, `arguments.not-canonical`,
    `arguments.invalid` (names the field), `role.missing`, `members.unknown`, `<contract>.evidence-missing`,
    `<contract>.evidence-invalid`, `contracts.fault` (an error of the contract itself), and the function's own refusals.
    """
    try:
        function = find(args)
        ledger = Ledger(stub, pool)
        arguments, misfit = fetch(ledger, args[1], function)
        if function.terms.roles:
            require_role(ledger, function.terms.roles)
        if misfit is not None:
            raise misfit
        answer = written(function.call(ledger, arguments, evidence_of(stub, function)))
        if function.terms.event is not None:
            ledger.announce(function.terms.event)
        elif not ledger.clean:
            raise RuntimeError(f"{function.name} is a query and wrote")
        return answer
    except Refused:
        raise
    except CovenantError as error:
        raise Refused(error.code, error.message, **error.context) from error
    except Exception as error:
        raise Refused(
            "contracts.fault", "the contract failed: report this, nothing was written", kind=type(error).__name__
        ) from error


def find(args: list[bytes]) -> Function:
    """The function that `args` name; refuses `arguments.count`, `function.unknown`."""
    if len(args) != 2:
        raise Refused("arguments.count", "call with the function's name and one object of arguments", given=len(args))
    name = args[0].decode("utf-8", errors="replace")
    if name not in FUNCTIONS:
        raise Refused("function.unknown", "no contract has a function of this name", function=name[:100])
    return FUNCTIONS[name]


def is_query(args: list[bytes]) -> bool:
    """Whether `args` name a function that only reads; False for no function at all."""
    try:
        return find(args).terms.event is None
    except Refused:
        return False


def fetch(ledger: Ledger, data: bytes, function: Function) -> tuple[Any, Refused | None]:
    """The arguments, or why there are none, which only a caller with the role is told.

    A host may fetch what they say is read together with what the question of the role reads.
    """
    try:
        arguments = parse(data, function)
    except Refused as refusal:
        return None, refusal
    if function.terms.reads is not None:
        ledger.expect([org_key(ledger.creator.organisation), *function.terms.reads(arguments)])
    return arguments, None


def parse(data: bytes, function: Function) -> Any:
    """The arguments, typed; refuses `arguments.not-canonical`, `arguments.invalid`."""
    try:
        return read(data, function.arguments)
    except CanonicalRefused as error:
        raise Refused(
            error.code.replace("canonical.", "arguments.", 1), error.message, function=function.name
        ) from None


def evidence_of(stub: Stub, function: Function) -> dict[str, Any]:
    """The transient evidence, typed, for a function that asks for it; None while an auditor replays.

    Refuses `<contract>.evidence-missing`, `<contract>.evidence-invalid`.
    """
    if function.evidence is None:
        return {}
    if stub.replaying:
        return {"evidence": None}
    contract = function.name.partition(":")[0]
    data = stub.evidence()
    if data is None:
        raise Refused(f"{contract}.evidence-missing", "send the evidence as the transient field `evidence`")
    try:
        return {"evidence": read(data, function.evidence)}
    except CanonicalRefused as error:
        raise Refused(f"{contract}.evidence-invalid", error.message) from None


def source_digest() -> str:
    """The digest of the code that decides: every Python file of `ledger.contracts` and `consent`, and the errors.

    Hex. SHA-256 (tag `covenant.contracts.v1`) over the sorted lines `<path> <SHA-256 of the file>`; two hospitals with
    the same digest run the same rules.
    """
    house = Path(consent.__file__).parents[1]
    files = [house / "ledger" / "errors.py"]
    files += [*(house / "ledger" / "contracts").rglob("*.py"), *(house / "consent").rglob("*.py")]
    lines = sorted(f"{file.relative_to(house).as_posix()} {sha256(file.read_bytes()).hexdigest()}\n" for file in files)
    return canonical.digest("covenant.contracts.v1", "".join(lines).encode()).hex()
