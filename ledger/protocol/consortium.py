"""The configuration of a channel on a real Fabric network: each hospital runs a peer and an orderer of its own.

What differs from the embedded ledger's (configuration.py): hospitals are orderers too, each with an address and a place
among the consenters; peers have addresses; and a block is valid with the signatures of a Byzantine quorum of orderers
(one signature where there are fewer than four, and Raft orders). The rules that count hospitals are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from fabric_protos.common import configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.msp import identities_pb2, msp_principal_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from fabric_protos.orderer.etcdraft import configuration_pb2 as raft_pb2
from fabric_protos.orderer.smartbft import configuration_pb2 as smartbft_pb2
from fabric_protos.peer import configuration_pb2 as peer_pb2

from ledger.protocol import policy
from ledger.protocol.configuration import (
    ADMINS,
    MspConfig,
    capabilities,
    config_value,
    organisation_group,
    signature_policy,
)
from ledger.protocol.exact import serialise

BFT: Final = "BFT"
RAFT: Final = "etcdraft"
BFT_AT_LEAST = 4  # three f + 1 with f = 1: fewer orderers cannot outvote one that lies


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Hospital:
    """A hospital's part in the channel. `consenter`: its number among the orderers, from 1, for ever.

    `orderer_pem`: the certificate that its orderer signs blocks with; `orderer_tls`: that of the orderer's connections.
    """

    msp: MspConfig
    consenter: int
    peer: Address
    orderer: Address
    orderer_pem: bytes
    orderer_tls: bytes


@dataclass(frozen=True, slots=True)
class Ordering:
    """How orderers agree (`kind`: BFT or RAFT), when a block is cut, and how soon a dead leader is noticed.

    A block is cut after `interval_ms` or `largest_count` transactions.

    The defaults recover from a dead leader within ten seconds: a follower misses heartbeats after 2 s, complains of a
    withheld request after 4 s, and a change of leader that does not finish, because a follower is a block behind, is
    tried again after 2 s. An orderer that starts asks the others at once how far they are: until it follows them it is
    one that fails.
    """

    kind: str
    interval_ms: int = 200
    largest_count: int = 500
    heartbeat_s: int = 2
    forward_s: int = 2
    complain_s: int = 4
    view_change_s: int = 2


def kind(hospitals: int) -> Literal["BFT", "etcdraft"]:
    """How `hospitals` orderers agree: Byzantine fault tolerant from four on, crash tolerant (Raft) below."""
    return BFT if hospitals >= BFT_AT_LEAST else RAFT


def quorum(consenters: int) -> int:
    """Signatures on a block among `consenters` BFT orderers: ceil((n + f + 1) / 2) with f = (n - 1) // 3 liars.

    As Fabric counts (common/policies/bft.go, ComputeBFTQuorum): any two quorums share an honest orderer.
    """
    return (consenters + (consenters - 1) // 3 + 2) // 2


def channel_group(hospitals: Sequence[Hospital], institutes: Sequence[MspConfig], ordering: Ordering) -> Any:
    """The channel's ConfigGroup. Hospitals come in the order of their consenter numbers, whatever order is given."""
    hospitals = sorted(hospitals, key=lambda each: each.consenter)
    names = sorted(each.msp.msp_id for each in hospitals)
    everybody = [*names, *sorted(each.msp_id for each in institutes)]
    admins = signature_policy(policy.majority(names, "admin"))
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups={
            "Application": _application(hospitals, institutes, admins),
            "Orderer": _orderer(hospitals, ordering, admins),
        },
        values={
            "HashingAlgorithm": config_value(configuration_pb2.HashingAlgorithm(name="SHA256")),
            "BlockDataHashingStructure": config_value(configuration_pb2.BlockDataHashingStructure(width=2**32 - 1)),
            "Capabilities": capabilities("V3_0"),
        },
        policies={**_access(everybody), ADMINS: admins},
    )


def _access(msp_ids: Sequence[str]) -> dict[str, Any]:
    """Who reads and who writes: anybody of these organisations; a peer's own identity writes nothing.

    By name, although Fabric can refer to each organisation's own rule: then it would verify the same signature again
    for every organisation that it tries, at each peer and twice at each orderer.
    """
    return {
        "Readers": signature_policy(policy.any_of(msp_ids, "member")),
        "Writers": signature_policy(policy.any_of(msp_ids, "client", "admin", "orderer")),
    }


def block_validation(hospitals: Sequence[Hospital], ordering: str) -> Any:
    """Who must sign a block, a SignaturePolicyEnvelope.

    Under BFT a quorum of the consenters, each by its own certificate: SmartBFT refuses a configuration whose policy is
    not exactly this. Under Raft the one orderer that wrote it.
    """
    if ordering == RAFT:
        return policy.out_of(1, sorted(each.msp.msp_id for each in hospitals), "orderer")
    identities = [
        msp_principal_pb2.MSPPrincipal(
            principal_classification=msp_principal_pb2.MSPPrincipal.IDENTITY,
            principal=serialise(identities_pb2.SerializedIdentity(mspid=each.msp.msp_id, id_bytes=each.orderer_pem)),
        )
        for each in hospitals
    ]
    branches = [policies_pb2.SignaturePolicy(signed_by=index) for index in range(len(hospitals))]
    rule = policies_pb2.SignaturePolicy(n_out_of={"n": quorum(len(hospitals)), "rules": branches})
    return policies_pb2.SignaturePolicyEnvelope(version=0, rule=rule, identities=identities)


def _application(hospitals: Sequence[Hospital], institutes: Sequence[MspConfig], admins: Any) -> Any:
    names = sorted(each.msp.msp_id for each in hospitals)
    groups = {each.msp_id: organisation_group(each) for each in institutes}
    for each in hospitals:
        group = organisation_group(each.msp)
        anchor = peer_pb2.AnchorPeers(anchor_peers=[{"host": each.peer.host, "port": each.peer.port}])
        group.values["AnchorPeers"].CopyFrom(config_value(anchor))
        groups[each.msp.msp_id] = group
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups=groups,
        values={"Capabilities": capabilities("V2_5")},
        policies={
            **_access([*names, *sorted(each.msp_id for each in institutes)]),
            ADMINS: admins,
            "Endorsement": signature_policy(policy.majority(names, "peer")),
            "LifecycleEndorsement": signature_policy(policy.majority(names, "peer")),
        },
    )


def _orderer(hospitals: Sequence[Hospital], ordering: Ordering, admins: Any) -> Any:
    groups = {}
    for each in hospitals:
        group = organisation_group(each.msp)
        group.values["Endpoints"].CopyFrom(
            config_value(configuration_pb2.OrdererAddresses(addresses=[str(each.orderer)]))
        )
        groups[each.msp.msp_id] = group
    values = {
        "BatchSize": config_value(
            orderer_pb2.BatchSize(
                max_message_count=ordering.largest_count, absolute_max_bytes=10 * 2**20, preferred_max_bytes=2 * 2**20
            )
        ),
        "BatchTimeout": config_value(orderer_pb2.BatchTimeout(timeout=f"{ordering.interval_ms}ms")),
        "Capabilities": capabilities("V2_0"),
        "ChannelRestrictions": config_value(orderer_pb2.ChannelRestrictions()),
    }
    if ordering.kind == BFT:
        values["ConsensusType"] = config_value(
            orderer_pb2.ConsensusType(type=BFT, metadata=serialise(_smartbft(ordering)))
        )
        values["Orderers"] = config_value(_consenters(hospitals))
    else:
        values["ConsensusType"] = config_value(
            orderer_pb2.ConsensusType(type=RAFT, metadata=serialise(_raft(hospitals)))
        )
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups=groups,
        values=values,
        policies={
            **_access(sorted(groups)),
            ADMINS: admins,
            "BlockValidation": signature_policy(block_validation(hospitals, ordering.kind)),
        },
    )


def _consenters(hospitals: Sequence[Hospital]) -> Any:
    mapping = [
        configuration_pb2.Consenter(
            id=each.consenter,
            host=each.orderer.host,
            port=each.orderer.port,
            msp_id=each.msp.msp_id,
            identity=each.orderer_pem,
            client_tls_cert=each.orderer_tls,
            server_tls_cert=each.orderer_tls,
        )
        for each in hospitals
    ]
    return configuration_pb2.Orderers(consenter_mapping=mapping)


def _smartbft(ordering: Ordering) -> Any:
    """Counts and sizes of a batch come from BatchSize; what is not named here has SmartBFT's default as value."""
    return smartbft_pb2.Options(
        request_batch_max_count=100,
        request_batch_max_bytes=10 * 2**20,
        request_batch_max_interval=f"{ordering.interval_ms}ms",
        incoming_message_buffer_size=200,
        request_pool_size=100_000,
        request_forward_timeout=f"{ordering.forward_s}s",
        request_complain_timeout=f"{ordering.complain_s}s",
        request_auto_remove_timeout="3m0s",
        request_max_bytes=10 * 2**20,
        view_change_resend_interval="1s",
        view_change_timeout=f"{ordering.view_change_s}s",
        leader_heartbeat_timeout=f"{ordering.heartbeat_s}s",
        leader_heartbeat_count=10,
        collect_timeout="1s",
        sync_on_start=True,
        leader_rotation=smartbft_pb2.Options.ROTATION_OFF,
    )


def _raft(hospitals: Sequence[Hospital]) -> Any:
    consenters = [
        raft_pb2.Consenter(
            host=each.orderer.host,
            port=each.orderer.port,
            client_tls_cert=each.orderer_tls,
            server_tls_cert=each.orderer_tls,
        )
        for each in hospitals
    ]
    options = raft_pb2.Options(
        tick_interval="200ms",  # a leader that stands still is left after 2 to 4 s
        election_tick=10,
        heartbeat_tick=1,
        max_inflight_blocks=5,
        snapshot_interval_size=20 * 2**20,
    )
    return raft_pb2.ConfigMetadata(consenters=consenters, options=options)
