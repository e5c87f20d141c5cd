"""A configuration update does what Fabric says it does: versions, the policies of what stands, nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fabric_protos.common import configtx_pb2, policies_pb2

from ledger.errors import LedgerError
from ledger.protocol import policy
from ledger.protocol.configuration import signature_policy
from ledger.protocol.update import apply

Change = Callable[[Any], None]


def group(*names: str) -> Any:
    """A configuration of two levels: each of `names` decides about its own group, A and B about the root."""
    root = configtx_pb2.ConfigGroup(
        mod_policy="Admins",
        policies={"Admins": signature_policy(policy.majority(["A", "B"], "admin"))},
        values={"Size": configtx_pb2.ConfigValue(mod_policy="Admins", value=b"1")},
    )
    for name in names:
        own = signature_policy(policy.majority([name], "admin"))
        inner = configtx_pb2.ConfigGroup(mod_policy="Admins", policies={"Admins": own})
        inner.values["MSP"].CopyFrom(configtx_pb2.ConfigValue(mod_policy="Admins", value=name.encode()))
        inner.values["Fee"].CopyFrom(configtx_pb2.ConfigValue(mod_policy="/Channel/Admins", value=b"0"))
        root.groups[name].CopyFrom(inner)
    return root


def update(change: Change) -> Any:
    made = configtx_pb2.ConfigUpdate(read_set=configtx_pb2.ConfigGroup(), write_set=configtx_pb2.ConfigGroup())
    change(made)
    return made


def value(name: str, field: str, data: bytes, version: int = 1) -> Change:
    def change(made: Any) -> None:
        where = made.write_set
        if name:
            made.read_set.groups[name].SetInParent()
            where = made.write_set.groups[name]
        where.values[field].CopyFrom(configtx_pb2.ConfigValue(version=version, mod_policy="Admins", value=data))

    return change


def voters(needed: list[Any]) -> list[list[str]]:
    return [[msp for msp, _ in policy.principals(each)] for each in needed]


@pytest.mark.parametrize(
    ("name", "field", "who"), [("", "Size", ["A", "B"]), ("A", "MSP", ["A"]), ("A", "Fee", ["A", "B"])]
)
def test_who_decides_is_said_by_what_stands(name: str, field: str, who: list[str]) -> None:
    after, needed = apply(group("A", "B"), update(value(name, field, b"new")))
    assert voters(needed) == [who]
    assert (after.groups[name] if name else after).values[field].value == b"new"
    changed = after.groups[name].values[field] if name else after.values[field]
    changed.CopyFrom((group("A", "B").groups[name] if name else group("A", "B")).values[field])
    assert after == group("A", "B")  # nothing else


def test_a_member_joins_when_those_who_are_there_say_so() -> None:
    def join(made: Any) -> None:
        made.write_set.CopyFrom(group("C"))
        made.write_set.version = 1
        for each in ("A", "B"):
            made.read_set.groups[each].SetInParent()
            made.write_set.groups[each].SetInParent()
        made.read_set.values["Size"].SetInParent()
        made.write_set.values["Size"].Clear()
        made.read_set.policies["Admins"].SetInParent()
        made.write_set.policies["Admins"].Clear()

    after, needed = apply(group("A", "B"), update(join))
    assert voters(needed) == [["A", "B"]]
    assert sorted(after.groups) == ["A", "B", "C"] and after.version == 1
    after.version = 0
    assert after == group("A", "B", "C")


def test_what_no_group_lists_does_not_get_in_by_itself() -> None:
    def smuggle(made: Any) -> None:
        made.write_set.groups["C"].CopyFrom(group("C").groups["C"])

    after, needed = apply(group("A", "B"), update(smuggle))
    assert (needed, after) == ([], group("A", "B"))


def leap(made: Any) -> None:
    made.write_set.version = 5


def absent(made: Any) -> None:
    made.read_set.groups["Z"].SetInParent()


def stale(made: Any) -> None:
    made.read_set.values["Size"].version = 3


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (leap, "config.versions"),
        (absent, "config.stale"),
        (stale, "config.stale"),
        (value("", "Size", b"2", version=2), "config.versions"),
        (value("", "Size", b"2", version=0), "config.versions"),
        (value("", "New", b"2", version=1), "config.versions"),
    ],
)
def test_an_update_that_does_not_fit_is_refused(change: Change, code: str) -> None:
    with pytest.raises(LedgerError) as refused:
        apply(group("A", "B"), update(change))
    assert refused.value.code == code


def test_an_update_that_changes_nothing_is_refused() -> None:
    with pytest.raises(LedgerError) as refused:
        apply(group("A"), update(lambda made: None))
    assert refused.value.code == "config.empty"


def test_what_is_not_said_by_signatures_decides_nothing() -> None:
    standing = group("A")
    standing.policies["Admins"].policy.type = policies_pb2.Policy.IMPLICIT_META
    for who in ("Admins", "/Channel/A/Nobody", "/Other/Admins"):
        standing.values["Size"].mod_policy = who
        with pytest.raises(LedgerError) as refused:
            apply(standing, update(value("", "Size", b"2")))
        assert refused.value.code == "config.policy"
