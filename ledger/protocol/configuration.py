"""The configuration groups of a Covenant channel: one function of the organisations, so that reading is comparing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fabric_protos.common import configtx_pb2, configuration_pb2, policies_pb2
from fabric_protos.msp import msp_config_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2

from ledger.protocol import policy
from ledger.protocol.exact import serialise

ORDERER_MSP = "OrdererMSP"
CONSENSUS = "embedded"
FABRIC_MSP = 0  # msp.ProviderType FABRIC
ADMINS = "Admins"


@dataclass(frozen=True, slots=True, order=True)
class MspConfig:
    """An organisation's root certificates and revocation lists, and the roots of its servers' TLS, each PEM."""

    msp_id: str
    root_certs: tuple[bytes, ...]
    revocation_lists: tuple[bytes, ...] = ()
    tls_root_certs: tuple[bytes, ...] = ()


def channel_group(hospitals: Sequence[MspConfig], institutes: Sequence[MspConfig], orderer: MspConfig) -> Any:
    """The channel's ConfigGroup."""
    names = [each.msp_id for each in hospitals]
    admins = signature_policy(policy.majority(names, "admin"))
    application = configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups={each.msp_id: organisation_group(each) for each in (*hospitals, *institutes)},
        values={"Capabilities": capabilities("V2_5")},
        policies={
            "Readers": any_policy("Readers"),
            "Writers": any_policy("Writers"),
            ADMINS: admins,
            "Endorsement": signature_policy(policy.majority(names, "peer")),
            "LifecycleEndorsement": signature_policy(policy.majority(names, "peer")),
        },
    )
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups={"Application": application, "Orderer": _orderer_group(orderer, admins)},
        values={
            "HashingAlgorithm": config_value(configuration_pb2.HashingAlgorithm(name="SHA256")),
            "BlockDataHashingStructure": config_value(configuration_pb2.BlockDataHashingStructure(width=2**32 - 1)),
            "Capabilities": capabilities("V3_0"),
        },
        policies={"Readers": any_policy("Readers"), "Writers": any_policy("Writers"), ADMINS: admins},
    )


def voters(endorsement: Any) -> tuple[str, ...]:
    """The hospitals that an endorsement policy counts."""
    return tuple(msp_id for msp_id, _ in policy.principals(endorsement))


def _orderer_group(orderer: MspConfig, admins: Any) -> Any:
    sealing = signature_policy(policy.out_of(1, [orderer.msp_id], "orderer"))
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        groups={orderer.msp_id: organisation_group(orderer)},
        values={
            "ConsensusType": config_value(orderer_pb2.ConsensusType(type=CONSENSUS)),
            "BatchSize": config_value(
                orderer_pb2.BatchSize(max_message_count=500, absolute_max_bytes=2**26, preferred_max_bytes=2**22)
            ),
            "BatchTimeout": config_value(orderer_pb2.BatchTimeout(timeout="20ms")),
            "Capabilities": capabilities("V2_0"),
        },
        policies={
            "Readers": any_policy("Readers"),
            "Writers": any_policy("Writers"),
            ADMINS: admins,
            "BlockValidation": sealing,
        },
    )


def organisation_group(organisation: MspConfig) -> Any:
    name = organisation.msp_id
    units = {
        f"{role}_ou_identifier": {"organizational_unit_identifier": role}
        for role in ("client", "peer", "admin", "orderer")
    }
    inner = msp_config_pb2.FabricMSPConfig(
        name=name,
        root_certs=organisation.root_certs,
        revocation_list=organisation.revocation_lists,
        tls_root_certs=organisation.tls_root_certs,
        crypto_config={"signature_hash_family": "SHA2", "identity_identifier_hash_function": "SHA256"},
        fabric_node_ous={"enable": True, **units},
    )
    return configtx_pb2.ConfigGroup(
        mod_policy=ADMINS,
        values={"MSP": config_value(msp_config_pb2.MSPConfig(type=FABRIC_MSP, config=serialise(inner)))},
        policies={
            "Readers": _own(name, "admin", "peer", "client", "orderer"),
            "Writers": _own(name, "admin", "client", "orderer"),
            ADMINS: _own(name, "admin"),
            "Endorsement": _own(name, "peer"),
        },
    )


def _own(msp_id: str, *roles: str) -> Any:
    identities = [policy.out_of(1, [msp_id], role).identities[0] for role in roles]
    branches = [policies_pb2.SignaturePolicy(signed_by=index) for index in range(len(roles))]
    rule = policies_pb2.SignaturePolicy(n_out_of={"n": 1, "rules": branches})
    return signature_policy(policies_pb2.SignaturePolicyEnvelope(version=0, rule=rule, identities=identities))


def signature_policy(rule: Any) -> Any:
    return _config_policy(policies_pb2.Policy.SIGNATURE, rule)


def any_policy(name: str) -> Any:
    rule = policies_pb2.ImplicitMetaPolicy(sub_policy=name, rule=policies_pb2.ImplicitMetaPolicy.ANY)
    return _config_policy(policies_pb2.Policy.IMPLICIT_META, rule)


def _config_policy(kind: int, rule: Any) -> Any:
    return configtx_pb2.ConfigPolicy(mod_policy=ADMINS, policy={"type": kind, "value": serialise(rule)})


def capabilities(version: str) -> Any:
    return config_value(configuration_pb2.Capabilities(capabilities={version: configuration_pb2.Capability()}))


def config_value(message: Any) -> Any:
    return configtx_pb2.ConfigValue(mod_policy=ADMINS, value=serialise(message))
