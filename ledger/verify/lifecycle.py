"""Which contract code a Fabric channel has agreed on, followed through `_lifecycle`'s own transactions.

A definition is a chaincode's sequence number, its code's version and its endorsement policy, in public fields
`namespaces/fields/<chaincode>/<field>`. Each organisation's approval is kept beside, as hashes of the same fields under
`<chaincode>#<sequence>`, in that organisation's own collection: so whoever knows what was committed can tell who had
approved just that. Fabric: core/chaincode/lifecycle, lifecycle.go and serializer.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fabric_protos.peer import collection_pb2, policy_pb2
from fabric_protos.peer.lifecycle import chaincode_definition_pb2, db_pb2, lifecycle_pb2

from ledger.errors import LedgerError
from ledger.protocol.envelope import Transaction
from ledger.protocol.exact import parse, serialise
from ledger.verify.errors import failed
from ledger.verify.fabric import LIFECYCLE, OWN
from ledger.verify.state import State, States

COMMIT = b"CommitChaincodeDefinition"
_FIELDS = ("Sequence", "EndorsementInfo", "ValidationInfo", "Collections")
POLICY = "/Channel/Application/Endorsement"  # a strict majority of the hospitals, as channel.of demands


@dataclass(frozen=True, slots=True)
class Definition:
    """`version`: the digest of the contracts' source; `approved`: the organisations that had approved it, sorted."""

    sequence: int
    version: str
    approved: tuple[str, ...]


def committed(
    transaction: Transaction, chaincode: str, standing: Definition | None, states: States, members: tuple[str, ...]
) -> Definition | None:
    """The definition of `chaincode` that a valid `transaction` of `_lifecycle` commits, its writes already in `states`;
    None for an approval, and for a definition of another chaincode. `members`: whose approvals are looked for.

    Raises VerificationFailed `verify.lifecycle` for a definition that `_lifecycle` would not have made, or one under
    which less than a strict majority of the hospitals could endorse.
    """
    if not transaction.rwset.writes:
        return None
    try:
        if len(transaction.args) != 2 or transaction.args[0] != COMMIT:
            raise LedgerError("lifecycle", "only a commit changes what is agreed")
        asked = parse(lifecycle_pb2.CommitChaincodeDefinitionArgs, transaction.args[1], "definition")
    except LedgerError as error:
        raise failed("lifecycle", error.message) from None
    keys = {key for key, _ in transaction.rwset.writes}
    if not keys <= {f"namespaces/metadata/{asked.name}", *(_field(asked.name, each) for each in _FIELDS)}:
        raise failed("lifecycle", f"a commit of {asked.name} changes something else")
    if asked.name != chaincode:
        return None
    sequence = standing.sequence + 1 if standing else 1
    wanted = _fields(asked.version)
    public = states[LIFECYCLE, ""]
    found = {name: public.value(_field(chaincode, name)) for name in _FIELDS}
    if asked.sequence != sequence or found != {"Sequence": _number(sequence), **wanted}:
        message = "the definition is not the next one, or not one under which a majority of hospitals must endorse"
        raise failed("lifecycle", message)
    approved = (name for name in members if _approves(states[LIFECYCLE, OWN + name], chaincode, sequence, wanted))
    return Definition(sequence, asked.version, tuple(sorted(approved)))


def _approves(hashes: State, chaincode: str, sequence: int, wanted: dict[str, bytes]) -> bool:
    return all(
        hashes.value(sha256(_field(f"{chaincode}#{sequence}", name).encode()).hexdigest()) == sha256(value).digest()
        for name, value in wanted.items()
    )


def _field(name: str, field: str) -> str:
    return f"namespaces/fields/{name}/{field}"


def _fields(version: str) -> dict[str, bytes]:
    """The fields of a definition as they must be: nothing but the version is free."""
    endorsement = chaincode_definition_pb2.ChaincodeEndorsementInfo(version=version, endorsement_plugin="escc")
    rule = policy_pb2.ApplicationPolicy(channel_config_policy_reference=POLICY)
    validation = chaincode_definition_pb2.ChaincodeValidationInfo(
        validation_plugin="vscc", validation_parameter=serialise(rule)
    )
    return {
        "EndorsementInfo": _bytes(endorsement),
        "ValidationInfo": _bytes(validation),
        "Collections": _bytes(collection_pb2.CollectionConfigPackage()),
    }


def _bytes(message: Any) -> bytes:
    return serialise(db_pb2.StateData(Bytes=serialise(message)))


def _number(value: int) -> bytes:
    return serialise(db_pb2.StateData(Int64=value))
