"""Signature policies: how many of whom must have signed.

A policy is Fabric's SignaturePolicyEnvelope; it is evaluated as Fabric does (common/cauthdsl): every identity counts
once, branches are tried in order, and what a failed branch used is free again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fabric_protos.common import policies_pb2
from fabric_protos.msp import msp_principal_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import read, serialise

ROLES = {"member": 0, "admin": 1, "client": 2, "peer": 3, "orderer": 4}  # msp.MSPRole.MSPRoleType
DEPTH = 8
REMEMBERED = 1024  # answers


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: organisation and NodeOU (client, peer, admin, orderer). `key` tells identities apart."""

    msp_id: str
    ou: str
    key: bytes


def out_of(count: int, msp_ids: Sequence[str], role: str) -> Any:
    """A SignaturePolicyEnvelope: `count` of `msp_ids`, each by an identity with NodeOU `role`."""
    return _count_of(count, [(each, role) for each in msp_ids])


def any_of(msp_ids: Sequence[str], *roles: str) -> Any:
    """Anybody of `msp_ids` whose NodeOU is one of `roles`; `member` stands for all of them."""
    return _count_of(1, [(each, role) for each in msp_ids for role in roles])


def majority(msp_ids: Sequence[str], role: str) -> Any:
    """More than half of `msp_ids`, one vote each, by `role`."""
    return out_of(len(msp_ids) // 2 + 1, msp_ids, role)


def _count_of(count: int, wanted: Sequence[tuple[str, str]]) -> Any:
    """`count` of the (organisation, role) in `wanted`, as a SignaturePolicyEnvelope."""
    principals = [
        msp_principal_pb2.MSPPrincipal(
            principal_classification=msp_principal_pb2.MSPPrincipal.ROLE,
            principal=msp_principal_pb2.MSPRole(msp_identifier=each, role=ROLES[role]).SerializeToString(),
        )
        for each, role in wanted
    ]
    branches = [policies_pb2.SignaturePolicy(signed_by=index) for index in range(len(wanted))]
    rule = policies_pb2.SignaturePolicy(n_out_of={"n": count, "rules": branches})
    return policies_pb2.SignaturePolicyEnvelope(version=0, rule=rule, identities=principals)


def principals(policy: Any) -> tuple[tuple[str, str], ...]:
    """(organisation, role) of each principal. Raises LedgerError `policy.unsupported` for others than MSP roles."""
    names = {number: name for name, number in ROLES.items()}
    found = []
    for each in policy.identities:
        if each.principal_classification != msp_principal_pb2.MSPPrincipal.ROLE:
            raise LedgerError("policy.unsupported", "policies name organisations and roles only")
        role = read(msp_principal_pb2.MSPRole, each.principal, "policy's principal")
        if role.role not in names:
            raise LedgerError("policy.unsupported", "policies name members, admins, clients, peers and orderers only")
        found.append((role.msp_identifier, names[role.role]))
    return tuple(found)


def is_satisfied(policy: Any, signers: Sequence[Signer]) -> bool:
    """Whether `signers` (their signatures already verified) satisfy `policy`. Repeated signers count once."""
    return _decided(serialise(policy), tuple(dict.fromkeys(signers)))


@lru_cache(REMEMBERED)
def _decided(policy: bytes, signers: tuple[Signer, ...]) -> bool:
    """The same peers endorse most of a chain's transactions: they need not be counted anew for each."""
    message = policies_pb2.SignaturePolicyEnvelope.FromString(policy)
    return _holds(message.rule, principals(message), signers, set(), DEPTH)


def _holds(rule: Any, wanted: Sequence[tuple[str, str]], signers: Sequence[Signer], used: set[int], depth: int) -> bool:
    if depth == 0:
        raise LedgerError("policy.unsupported", f"policies nest at most {DEPTH} levels")
    if rule.WhichOneof("Type") == "signed_by":
        for index, signer in enumerate(signers):
            if index not in used and _matches(signer, wanted[rule.signed_by]):
                used.add(index)
                return True
        return False
    count = 0
    for branch in rule.n_out_of.rules:
        attempt = set(used)
        if _holds(branch, wanted, signers, attempt, depth - 1):
            count += 1
            used |= attempt
    return count >= int(rule.n_out_of.n)


def _matches(signer: Signer, principal: tuple[str, str]) -> bool:
    msp_id, role = principal
    return signer.msp_id == msp_id and role in ("member", signer.ou)
