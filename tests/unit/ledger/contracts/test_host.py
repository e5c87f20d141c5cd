"""The door: strict arguments, evidence that can only refuse, faults that leave as refusals."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from consent import canonical
from ledger.contracts import describe, host
from ledger.contracts.sealed import batched
from ledger.contracts.stub import Creator
from ledger.errors import Refused
from tests.contract.memory import MemoryStub, creator
from tests.contract.world import HOSPITALS, Patient

REGISTRAR = creator(f"{HOSPITALS[0]}.registrar")
OPEN = b"budget:Open"


def stub(world, who=f"{HOSPITALS[0]}.steward", evidence=None, **more):
    return MemoryStub(world.ledger, creator(who), evidence, reading=False, **more)


def code_of(world, args, **more):
    with pytest.raises(Refused) as caught:
        host.invoke(stub(world, **more), args)
    return caught.value.code


def test_arguments_are_two(world):
    assert code_of(world, [OPEN]) == code_of(world, [OPEN, b"{}", b"{}"]) == code_of(world, []) == "arguments.count"


@pytest.mark.parametrize(
    "data",
    [
        b'{"delta":"0.0001","cap":"8"}',  # names out of order
        b'{"cap":"8", "delta":"0.0001"}',  # space
        b'{"cap":"\\u0038","delta":"0.0001"}',  # another spelling of a character
        b'{"cap":"8","cap":"8","delta":"0.0001"}',  # a name twice
    ],
)
def test_arguments_have_one_spelling(world, data):
    assert code_of(world, [OPEN, data]) == "arguments.not-canonical"


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'{"cap":8,"delta":"0.0001"}', b'{"cap":"8"}'])
def test_arguments_are_one_object_of_the_named_types(world, data):
    assert code_of(world, [OPEN, data]) == "arguments.invalid"


@pytest.mark.parametrize("text", ["1.0", "1e3", "-0", "9007199254740993"])
def test_an_integer_is_an_integer(world, text):
    data = b'{"dataset":"AlphaMSP/a","version":' + text.encode() + b"}"
    assert code_of(world, [b"catalogue:Retire", data]) in {"arguments.invalid", "arguments.not-canonical"}


def test_what_is_wrong_with_arguments_is_told_to_those_with_the_role_alone(world):
    assert code_of(world, [OPEN, b"{"], who="StrangerMSP.steward") == "members.unknown"
    assert code_of(world, [OPEN, b"{"], who=f"{HOSPITALS[0]}.registrar") == "role.missing"


def test_a_function_name_that_is_no_text(world):
    assert code_of(world, [b"\xff", b"{}"]) == "function.unknown"


def test_evidence_is_not_looked_for_while_an_auditor_replays(world):
    signed = Patient().grant()
    args = [b"consents:Record", canonical.encode({"grant": signed.sealed()})]
    seen = stub(world, who=f"{HOSPITALS[0]}.registrar", evidence=canonical.encode(signed.evidence()))
    again = stub(world, who=f"{HOSPITALS[0]}.registrar", replaying=True)
    assert host.invoke(seen, args) == host.invoke(again, args)
    assert seen.writes == again.writes and seen.announced == again.announced


def test_a_batch_in_threads_is_the_batch(world):
    batch = sorted((Patient().grant() for _ in range(200)), key=lambda one: one.commitment)
    evidence = canonical.encode([one.evidence() for one in batch])
    args = [b"consents:RecordBatch", canonical.encode(batched(one.sealed() for one in batch))]
    alone, threaded = (stub(world, who=f"{HOSPITALS[0]}.registrar", evidence=evidence) for _ in range(2))
    with ThreadPoolExecutor(2) as pool:
        assert host.invoke(alone, args) == host.invoke(threaded, args, pool=pool)
    assert alone.writes == threaded.writes and alone.announced == threaded.announced


def test_the_first_bad_entry_is_named_also_in_threads(world):
    batch = sorted((Patient().grant() for _ in range(200)), key=lambda one: one.commitment)
    evidence = [one.evidence() for one in batch]
    for bad in (130, 70, 199):
        evidence[bad]["key"] = evidence[0]["key"]
    args = [b"consents:RecordBatch", canonical.encode(batched(one.sealed() for one in batch))]
    with ThreadPoolExecutor(4) as pool, pytest.raises(Refused) as caught:
        refusing = stub(world, who=f"{HOSPITALS[0]}.registrar", evidence=canonical.encode(evidence))
        host.invoke(refusing, args, pool=pool)
    assert caught.value.context["index"] == 70 and not refusing.writes


def test_a_fault_leaves_as_a_refusal(world):
    world.ledger.state[f"budget/account/{HOSPITALS[0]}"] = b"not what a contract wrote"
    args = [OPEN, canonical.encode({"cap": "8", "delta": "0.0001"})]
    assert code_of(world, args) == "contracts.fault"


def test_a_role_counts_only_where_certificate_and_members_agree(world):
    args = [OPEN, canonical.encode({"cap": "8", "delta": "0.0001"})]
    for roles in (frozenset(), frozenset({"STEWARD"}), frozenset({"researcher"}), frozenset({"peer", "site"})):
        asking = stub(world)
        asking.creator = Creator(HOSPITALS[0], roles, "somebody")
        with pytest.raises(Refused) as caught:
            host.invoke(asking, args)
        assert caught.value.code == "role.missing" and caught.value.context["lacking_in"] == "certificate"


def test_the_source_digest_is_stable_and_of_32_bytes():
    assert re.fullmatch("[0-9a-f]{64}", host.source_digest()) and host.source_digest() == host.source_digest()


def test_every_function_says_what_it_does_and_refuses():
    for function in host.FUNCTIONS.values():
        assert function.doc.splitlines()[0].endswith("."), function.name
        if function.terms.event is not None and function.name != "studies:Pause":
            assert describe.refusals(function), f"{function.name} lists no refusals"
