"""Which definitions of contract code are believed: the next one, agreed by `_lifecycle` itself, under a majority."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from fabric_protos.peer import policy_pb2
from fabric_protos.peer.lifecycle import chaincode_definition_pb2, db_pb2, lifecycle_pb2

from ledger.protocol import policy
from ledger.protocol.envelope import Transaction
from ledger.protocol.exact import serialise
from ledger.protocol.proposal import Heading
from ledger.protocol.rwset import ReadWriteSet
from ledger.verify import VerificationFailed
from ledger.verify.fabric import LIFECYCLE, OWN
from ledger.verify.lifecycle import COMMIT, POLICY, Definition, committed
from ledger.verify.state import States

HOSPITALS = ("AlphaMSP", "BetaMSP", "GammaMSP")
Fields = dict[str, bytes]


def fields(sequence: int, version: str, rule: Any = None) -> Fields:
    """A definition as `_lifecycle` writes it."""
    rule = rule or policy_pb2.ApplicationPolicy(channel_config_policy_reference=POLICY)
    endorsement = chaincode_definition_pb2.ChaincodeEndorsementInfo(version=version, endorsement_plugin="escc")
    validation = chaincode_definition_pb2.ChaincodeValidationInfo(
        validation_plugin="vscc", validation_parameter=serialise(rule)
    )
    return {
        "Sequence": serialise(db_pb2.StateData(Int64=sequence)),
        "EndorsementInfo": serialise(db_pb2.StateData(Bytes=serialise(endorsement))),
        "ValidationInfo": serialise(db_pb2.StateData(Bytes=serialise(validation))),
        "Collections": serialise(db_pb2.StateData(Bytes=b"")),
    }


def commit(states: States, sequence: int, version: str, written: Fields, name: str = "covenant") -> Transaction:
    """A commit that writes `written`, and its writes made to `states`."""
    asked = lifecycle_pb2.CommitChaincodeDefinitionArgs(sequence=sequence, name=name, version=version)
    writes = {f"namespaces/fields/{name}/{field}": value for field, value in written.items()}
    for key, value in writes.items():
        states[LIFECYCLE, ""].write(key, value, (1, 0))
    return transaction(COMMIT, serialise(asked), writes)


def transaction(function: bytes, argument: bytes, writes: Fields) -> Transaction:
    heading = Heading("covenant", LIFECYCLE, "id", 1, 0, b"", b"", b"", b"")
    rwset = ReadWriteSet((), tuple(sorted(writes.items())))
    return Transaction(heading, (function, argument), rwset, (), b"", b"", None, "syscc", b"", (), b"", b"")


def approve(states: States, msp: str, sequence: int, written: Fields) -> None:
    for field, value in written.items():
        key = sha256(f"namespaces/fields/covenant#{sequence}/{field}".encode()).hexdigest()
        states[LIFECYCLE, OWN + msp].write(key, sha256(value).digest(), (0, 0))


def test_a_definition_names_who_had_approved_just_that() -> None:
    states, agreed = States(), fields(1, "code")
    approve(states, "AlphaMSP", 1, agreed)
    approve(states, "BetaMSP", 1, fields(1, "other code"))
    approve(states, "GammaMSP", 1, agreed)
    found = committed(commit(states, 1, "code", agreed), "covenant", None, states, HOSPITALS)
    assert found == Definition(1, "code", ("AlphaMSP", "GammaMSP"))


def test_an_upgrade_follows_the_definition_that_stands() -> None:
    states, first = States(), Definition(1, "code", ())
    commit(states, 1, "code", fields(1, "code"))
    written = {name: value for name, value in fields(2, "new").items() if name in ("Sequence", "EndorsementInfo")}
    assert committed(commit(states, 2, "new", written), "covenant", first, states, ()) == Definition(2, "new", ())


def test_an_approval_and_another_chaincode_change_nothing_here() -> None:
    states = States()
    assert committed(transaction(b"Approve", b"", {}), "covenant", None, states, ()) is None
    other = commit(states, 1, "code", fields(1, "code"), name="other")
    assert committed(other, "covenant", None, states, ()) is None


def one_is_enough() -> Any:
    return policy_pb2.ApplicationPolicy(signature_policy=policy.out_of(1, HOSPITALS, "peer"))


@pytest.mark.parametrize(
    "forged",
    [
        lambda states: commit(states, 2, "code", fields(2, "code")),  # none stands yet
        lambda states: commit(states, 1, "code", fields(2, "code")),
        lambda states: commit(states, 1, "code", fields(1, "other")),
        lambda states: commit(states, 1, "code", fields(1, "code", one_is_enough())),
        lambda states: commit(states, 1, "code", fields(1, "code") | {"More": b"1"}),
        lambda states: transaction(b"Approve", b"", {"namespaces/fields/covenant/Sequence": b"1"}),
        lambda states: transaction(COMMIT, b"\xff", {"namespaces/fields/covenant/Sequence": b"1"}),
    ],
)
def test_a_definition_that_the_lifecycle_would_not_make_is_refused(forged: Callable[[States], Transaction]) -> None:
    states = States()
    with pytest.raises(VerificationFailed) as refused:
        committed(forged(states), "covenant", None, states, HOSPITALS)
    assert refused.value.code == "verify.lifecycle"
