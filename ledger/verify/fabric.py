"""One transaction of a Fabric channel: a call of the contracts, or of `_lifecycle`, which keeps what code they run.

Endorsements are counted as Fabric counts them: by the policy of each namespace that is written, the channel's majority
of hospitals, or where an organisation writes to its own private collection, that organisation's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fabric_protos.common import common_pb2, policies_pb2
from google.protobuf.message import DecodeError

from ledger.errors import LedgerError
from ledger.identity.checking import WRITERS, check_policy, good_endorsers
from ledger.identity.validation import Validator
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.envelope import Transaction, open_envelope
from ledger.protocol.exact import parse
from ledger.verify.checked import Checked, check_names

LIFECYCLE = "_lifecycle"
OLD_LIFECYCLE = "lscc"  # the peer asks it whether the contracts were installed the old way; nothing is ever there
OWN = "_implicit_org_"  # begins the name of an organisation's own collection
SENDERS = (*WRITERS, "orderer")  # who meets the channel's Writers


def check(config: ChannelConfig, validator: Validator, chaincode: str, envelope: bytes) -> Checked:
    """A transaction that may count. Raises LedgerError: why it may not."""
    transaction = open_envelope(envelope)
    check_names(config, transaction, (chaincode, LIFECYCLE))
    heading = transaction.heading
    client = validator.verify(heading.creator, transaction.signature, transaction.payload, heading.seconds)
    if client.ou not in SENDERS:
        raise LedgerError("identity.not-a-writer", f"transactions come from clients, not from a {client.ou}")
    check_touched(transaction)
    signers = good_endorsers(validator, transaction)
    for policy in policies(config, transaction):
        check_policy(policy, signers)
    passed_over = len(transaction.endorsements) - len(signers)
    return Checked(transaction, client.creator, 1 + len(signers), passed_over)


def check_touched(transaction: Transaction) -> None:
    """Raises LedgerError `rwset.unsupported` where a transaction does more than its chaincode may."""
    own = transaction.heading.chaincode
    for each in transaction.touched:
        if each.namespace not in (own, LIFECYCLE, OLD_LIFECYCLE) or (each.namespace != own and each.writes):
            raise LedgerError("rwset.unsupported", f"a call of {own} touches {each.namespace}")
        if each.hashed and own != LIFECYCLE:
            raise LedgerError("rwset.unsupported", "private data collections are not used here")


def policies(config: ChannelConfig, transaction: Transaction) -> Iterator[Any]:
    """The policies (SignaturePolicyEnvelope) that the endorsers of `transaction` must meet. Fabric:
    core/common/validation/statebased, v20.go.
    """
    own = next((each for each in transaction.touched if each.namespace == transaction.heading.chaincode), None)
    private = [name for name, inner in own.hashed if inner.writes] if own else []
    for name in private:
        yield _organisation_policy(config, name)
    if not private or (own and own.rwset.writes):
        yield config.endorsement  # LifecycleEndorsement is the same rule: channel.of has compared both


def claimed(envelope: bytes) -> str:
    """The transaction id that `envelope` claims; nothing is checked."""
    try:
        payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
        return str(common_pb2.ChannelHeader.FromString(payload.header.channel_header).tx_id)
    except DecodeError:
        return ""


def _organisation_policy(config: ChannelConfig, collection: str) -> Any:
    name = collection.removeprefix(OWN)
    groups = config.root.groups["Application"].groups
    if not collection.startswith(OWN) or name not in groups:
        raise LedgerError("rwset.unsupported", f"there is no collection {collection}")
    policy = groups[name].policies["Endorsement"].policy
    if policy.type != policies_pb2.Policy.SIGNATURE:
        raise LedgerError("policy.unsupported", f"who endorses for {name} is not said by signatures")
    return parse(policies_pb2.SignaturePolicyEnvelope, policy.value, f"policy of {name}")
