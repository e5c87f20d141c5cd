"""The genesis block: who takes part and by which rules, in Fabric's own configuration messages (configtx.proto).

    channel group: HashingAlgorithm, BlockDataHashingStructure, Capabilities; Readers, Writers, Admins
        Application: one group an organisation (its MSP); Endorsement, LifecycleEndorsement, Admins
        Orderer: OrdererMSP; ConsensusType "embedded", batch settings; BlockValidation

Endorsement, LifecycleEndorsement and Admins are signature policies over a strict majority of the hospitals, named one
by one: Fabric's ImplicitMeta MAJORITY would count research institutes too. The SHA-256 of the block's bytes is what
every verifier must be told by somebody it trusts (`genesis.sha256`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2

from ledger.errors import LedgerError
from ledger.protocol import block, channel, configuration
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.configuration import ORDERER_MSP, MspConfig
from ledger.protocol.exact import parse, serialise


def build(
    *,
    channel: str,
    hospitals: Sequence[MspConfig],
    institutes: Sequence[MspConfig],
    orderer: MspConfig,
    seconds: int,
    nonce: bytes,
) -> bytes:
    """A genesis block's bytes. `seconds`: when the channel begins (UTC since 1970); `nonce`: 24 random bytes.

    Raises LedgerError `genesis.organisations` when there is no hospital, a name stands twice, or the orderer's is
    taken.
    """
    names = [each.msp_id for each in (*hospitals, *institutes)]
    if not hospitals or len(set(names)) != len(names) or ORDERER_MSP in names or orderer.msp_id != ORDERER_MSP:
        raise LedgerError("genesis.organisations", f"name each organisation once, and the orderer's {ORDERER_MSP}")
    group = configuration.channel_group(sorted(hospitals), sorted(institutes), orderer)
    return first_block(channel, group, seconds, nonce)


def first_block(channel: str, group: Any, seconds: int, nonce: bytes) -> bytes:
    """Block 0 of `channel`, holding the configuration `group` (a ConfigGroup); dates and nonce as in `build`."""
    config = configtx_pb2.ConfigEnvelope(config={"sequence": 0, "channel_group": group})
    header = common_pb2.ChannelHeader(
        type=common_pb2.CONFIG,
        channel_id=channel,
        timestamp={"seconds": seconds},
        version=1,
        tx_id=sha256(nonce).hexdigest(),
    )
    payload = common_pb2.Payload(
        header={
            "channel_header": serialise(header),
            "signature_header": serialise(common_pb2.SignatureHeader(nonce=nonce)),
        },
        data=serialise(config),
    )
    envelope = serialise(common_pb2.Envelope(payload=serialise(payload)))
    return block.build(0, block.NO_HASH, [envelope], b"\x00", [])


def read(data: bytes) -> ChannelConfig:
    """Read a genesis block strictly.

    Raises LedgerError `bytes.*`, `block.*`, `genesis.malformed`, and `genesis.policies` when a policy that must be a
    strict majority of the hospitals is anything else.
    """
    first = block.open_block(data)
    if first.number or first.previous_hash or len(first.envelopes) != 1 or first.flags != b"\x00" or first.signatures:
        raise LedgerError("genesis.malformed", "a genesis block is number 0, unsigned, and holds one configuration")
    name, root = _channel_group(first.envelopes[0])
    return channel.of(name, root, 0, sha256(data).hexdigest(), 0)


def _channel_group(envelope: bytes) -> tuple[str, Any]:
    message = parse(common_pb2.Envelope, envelope, "genesis envelope")
    payload = parse(common_pb2.Payload, message.payload, "genesis payload")
    header = parse(common_pb2.ChannelHeader, payload.header.channel_header, "genesis channel header")
    signer = parse(common_pb2.SignatureHeader, payload.header.signature_header, "genesis signature header")
    config = parse(configtx_pb2.ConfigEnvelope, payload.data, "configuration")
    plain = header.type == common_pb2.CONFIG and header.tx_id == sha256(signer.nonce).hexdigest()
    if not plain or message.signature or signer.creator or config.HasField("last_update") or config.config.sequence:
        raise LedgerError("genesis.malformed", "a genesis block holds one unsigned configuration, the channel's first")
    return header.channel_id, config.config.channel_group
