"""What a channel's configuration says, read back: the members, and that its rules are what they must be.

Reading is comparing: from the organisations found in it the configuration is made anew, and must come out the same.
On a Fabric channel only what changes while it runs may differ: version numbers, sizes and times of batches, addresses,
and what lies in an organisation's own group, over which its own administrators decide: its certificates are read there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fabric_protos.common import configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2

from ledger.errors import LedgerError
from ledger.protocol import configuration, consortium, identity
from ledger.protocol.configuration import ORDERER_MSP, MspConfig
from ledger.protocol.consortium import Address, Hospital
from ledger.protocol.exact import parse, read, serialise

OPERATIONAL = ("BatchSize", "BatchTimeout", "ChannelRestrictions", "ConsensusType", "Orderers")
NOWHERE = Address("", 0)


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A channel's configuration. `organisations` holds every MSP, the orderers' included.

    `hospitals`: the organisations that count in majorities, sorted; `institutes`: the other application organisations.
    `endorsement`, `block_validation`: SignaturePolicyEnvelope messages. `consenters`: under BFT, the SerializedIdentity
    of each orderer by its number. `digest`: SHA-256 of the genesis block, 64 hex characters; `number`: the block that
    holds this configuration; `sequence`: how many changes led to it; `root`: its ConfigGroup.
    """

    channel: str
    hospitals: tuple[str, ...]
    institutes: tuple[str, ...]
    organisations: dict[str, MspConfig]
    endorsement: Any
    block_validation: Any
    consensus: str
    consenters: dict[int, bytes]
    digest: str
    number: int
    sequence: int
    root: Any


def of(channel: str, root: Any, number: int, digest: str, sequence: int) -> ChannelConfig:
    """The configuration that the ConfigGroup `root` is; the rest as in ChannelConfig.

    Raises LedgerError `bytes.*`, `genesis.malformed`, `genesis.consensus`, and `genesis.policies` when a policy that
    must be a strict majority of the hospitals, or a quorum of orderers, is anything else.
    """
    application, orderer = group(root, "Application"), group(root, "Orderer")
    consensus = _consensus(orderer)
    organisations = _organisations(application, orderer)
    endorsement = _policy(application, "Endorsement")
    hospitals = tuple(sorted(configuration.voters(endorsement)))
    institutes = tuple(sorted(set(application.groups) - set(hospitals)))
    consenters = _consenters(orderer) if consensus == consortium.BFT else {}
    if consensus == configuration.CONSENSUS:
        expected = configuration.channel_group(
            [organisations[name] for name in hospitals if name in organisations],
            [organisations[name] for name in institutes],
            organisations.get(ORDERER_MSP, MspConfig(ORDERER_MSP, ())),
        )
        same = serialise(expected) == serialise(root)
    else:
        expected = consortium.channel_group(
            _hospitals(hospitals, consenters),
            [organisations[name] for name in institutes],
            consortium.Ordering(kind=consensus),
        )
        same = _skeleton(expected) == _skeleton(root)
    if not same:
        raise LedgerError("genesis.policies", "the channel's rules are not a strict majority of its hospitals")
    return ChannelConfig(
        channel,
        hospitals,
        institutes,
        organisations,
        endorsement,
        _policy(orderer, "BlockValidation"),
        consensus,
        {each: identity.pack(msp_id, pem) for each, (msp_id, pem) in consenters.items()},
        digest,
        number,
        sequence,
        root,
    )


def group(parent: Any, name: str) -> Any:
    """The group `name` in `parent`. Raises LedgerError `genesis.malformed`."""
    if name not in parent.groups:
        raise LedgerError("genesis.malformed", f"the configuration has no group {name}")
    return parent.groups[name]


def _consensus(orderer: Any) -> str:
    """The kind of ordering that an Orderer group names."""
    value = orderer.values["ConsensusType"].value if "ConsensusType" in orderer.values else b""
    kind: str = parse(orderer_pb2.ConsensusType, value, "consensus type").type
    if kind not in (configuration.CONSENSUS, consortium.BFT, consortium.RAFT):
        raise LedgerError("genesis.consensus", f"ledgers of ours order by embedded, BFT or etcdraft, not by {kind}")
    return kind


def _organisations(application: Any, orderer: Any) -> dict[str, MspConfig]:
    found: dict[str, MspConfig] = {}
    for part in (application, orderer):
        for name, inner in part.groups.items():
            msp = _msp(name, inner)
            if found.setdefault(name, msp) != msp:
                raise LedgerError("genesis.malformed", f"the configuration has two different MSPs of {name}")
    return found


def _msp(name: str, inner: Any) -> MspConfig:
    """The MSP of the organisation `name`: of the one form that this software judges certificates by."""
    value = inner.values["MSP"].value if "MSP" in inner.values else b""
    outer = parse(msp_config_pb2.MSPConfig, value, f"MSP of {name}")
    said = parse(msp_config_pb2.FabricMSPConfig, outer.config, f"MSP of {name}")
    if said.name != name:
        raise LedgerError("genesis.malformed", f"the MSP of {name} calls itself {said.name}")
    msp = MspConfig(name, tuple(said.root_certs), tuple(said.revocation_list), tuple(said.tls_root_certs))
    if configuration.organisation_group(msp).values["MSP"].value != value:
        raise LedgerError("genesis.malformed", f"the MSP of {name} has more than roots, revocations and NodeOUs")
    return msp


def _consenters(orderer: Any) -> dict[int, tuple[str, bytes]]:
    """Number -> organisation and certificate (PEM) of each BFT orderer."""
    value = orderer.values["Orderers"].value if "Orderers" in orderer.values else b""
    mapping = read(configuration_pb2.Orderers, value, "consenters").consenter_mapping
    found = {each.id: (each.msp_id, each.identity) for each in mapping}
    if len(found) != len(mapping):
        raise LedgerError("genesis.malformed", "two orderers have one number")
    return found


def _hospitals(names: tuple[str, ...], consenters: dict[int, tuple[str, bytes]]) -> list[Hospital]:
    """Each hospital with what the rules need of it; under Raft (no `consenters`) that is its name alone."""
    parts = consenters or {number: (name, b"") for number, name in enumerate(names, 1)}
    return [
        Hospital(MspConfig(msp_id, ()), number, NOWHERE, NOWHERE, pem, b"") for number, (msp_id, pem) in parts.items()
    ]


def _policy(inner: Any, name: str) -> Any:
    policy = inner.policies[name].policy if name in inner.policies else policies_pb2.Policy()
    if policy.type != policies_pb2.Policy.SIGNATURE:
        raise LedgerError("genesis.policies", f"{name} must be a signature policy")
    return parse(policies_pb2.SignaturePolicyEnvelope, policy.value, f"policy {name}")


def _skeleton(root: Any) -> bytes:
    """`root` without what may change while a channel runs."""
    bare = configtx_pb2.ConfigGroup()
    bare.CopyFrom(root)
    for part in bare.groups.values():
        for inner in part.groups.values():
            inner.Clear()
    for name in OPERATIONAL:
        if name in bare.groups["Orderer"].values:
            bare.groups["Orderer"].values[name].value = b""
    _unversioned(bare)
    return serialise(bare)


def _unversioned(inner: Any) -> None:
    inner.version = 0
    for each in (*inner.values.values(), *inner.policies.values()):
        each.version = 0
    for each in inner.groups.values():
        _unversioned(each)
