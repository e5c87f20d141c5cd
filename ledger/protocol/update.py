"""Changes of a channel's configuration: what an update makes of it, and whose signatures each change needs.

    ConfigUpdate { channel_id, read_set, write_set }: ConfigGroups holding the elements that matter, with versions

An element (a group, value or policy) changes when the write set gives it a version other than the read set's; it must
be the standing version + 1, and 0 for an element that is new. Each standing element names the policy that may change it
(`mod_policy`), by a path or relative to its own group. Fabric: common/configtx, update.go and validator.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fabric_protos.common import configtx_pb2, policies_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import parse

ROOT = "Channel"
Key = tuple[tuple[str, ...], str, str]  # path of the group, kind of element, its name ("" for the group itself)


def apply(standing: Any, update: Any) -> tuple[Any, list[Any]]:
    """The ConfigGroup that `update` (a ConfigUpdate) makes of `standing`, and the policies (SignaturePolicyEnvelope)
    that must all be satisfied for that.

    Raises LedgerError `config.stale` (it was made for another state), `config.versions`, `config.empty`,
    `config.policy`.
    """
    existing = dict(_elements(standing))
    known = dict(_elements(update.read_set))
    for key, element in known.items():
        if key not in existing or existing[key].version != element.version:
            raise LedgerError("config.stale", "the update was made for another configuration than the one in force")
    changed = {
        key: element
        for key, element in _elements(update.write_set)
        if key not in known or known[key].version != element.version
    }
    if not changed:
        raise LedgerError("config.empty", "the update changes nothing")
    needed = []
    for key, element in changed.items():
        before = existing.get(key)
        if element.version != (0 if before is None else before.version + 1):
            raise LedgerError("config.versions", f"the update gives {'/'.join(key[0])} a version that does not follow")
        if before is not None:
            needed.append(_policy(standing, key[0], before.mod_policy))
    return _built(existing | changed, (), {**existing, **changed}[(), "group", ""]), needed


def _elements(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Key, Any]]:
    yield (path, "group", ""), group
    for name, value in group.values.items():
        yield (path, "value", name), value
    for name, policy in group.policies.items():
        yield (path, "policy", name), policy
    for name, inner in group.groups.items():
        yield from _elements(inner, (*path, name))


def _built(elements: dict[Key, Any], path: tuple[str, ...], group: Any) -> Any:
    """The group at `path` with the parts that `group` lists, each as it stands in `elements`."""
    made = configtx_pb2.ConfigGroup(version=group.version, mod_policy=group.mod_policy)
    for name in group.values:
        made.values[name].CopyFrom(elements[path, "value", name])
    for name in group.policies:
        made.policies[name].CopyFrom(elements[path, "policy", name])
    for name in group.groups:
        inner = (*path, name)
        made.groups[name].CopyFrom(_built(elements, inner, elements[inner, "group", ""]))
    return made


def _policy(root: Any, path: tuple[str, ...], name: str) -> Any:
    """The policy called `name` as seen from the group at `path`."""
    if name.startswith("/"):
        first, *rest = name[1:].split("/")
        if first != ROOT or not rest:
            raise LedgerError("config.policy", f"there is no policy {name}")
        path, name = tuple(rest[:-1]), rest[-1]
    group = root
    for part in path:
        group = group.groups[part] if part in group.groups else configtx_pb2.ConfigGroup()
    policy = group.policies[name].policy if name in group.policies else policies_pb2.Policy()
    if policy.type != policies_pb2.Policy.SIGNATURE:
        raise LedgerError("config.policy", f"who may change {'/'.join((ROOT, *path))} is not said by signatures")
    return parse(policies_pb2.SignaturePolicyEnvelope, policy.value, f"policy {name}")
