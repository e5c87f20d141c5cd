"""Changes of the channel's configuration, followed: from the block that holds one on, its members and rules count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2
from google.protobuf.message import DecodeError

from ledger.errors import LedgerError
from ledger.identity.validation import Validator
from ledger.protocol import channel, policy, update
from ledger.protocol.block import Block
from ledger.protocol.channel import ChannelConfig
from ledger.protocol.exact import parse, parse_maps


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """A configuration block: what is in force after it, when its orderer says it was made (epoch seconds), whose
    administrators signed, and how many signatures were checked.
    """

    config: ChannelConfig
    seconds: int
    signers: tuple[str, ...]
    signatures: int


def is_config(envelope: bytes) -> bool:
    """Whether `envelope` says that it holds a configuration; nothing is checked."""
    try:
        payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
        return bool(common_pb2.ChannelHeader.FromString(payload.header.channel_header).type == common_pb2.CONFIG)
    except DecodeError:
        return False


def follow(config: ChannelConfig, validator: Validator, block: Block) -> Reconfigured:
    """The configuration that `block` puts in force, judged by `config`, which was in force until then.

    Raises LedgerError `bytes.*`, `identity.*`, `signature.*`, `genesis.*`, `config.*`: above all `config.minority`,
    when the signatures do not meet the policies of what is changed.
    """
    if len(block.envelopes) != 1:
        raise LedgerError("config.alone", "a configuration stands alone in its block")
    outer = parse_maps(common_pb2.Envelope, block.envelopes[0], "configuration envelope")
    payload = parse(common_pb2.Payload, outer.payload, "configuration payload")
    header = _header(payload, common_pb2.CONFIG, config.channel)
    seconds = int(header.timestamp.seconds)
    orderer = validator.verify(_creator(payload), outer.signature, outer.payload, seconds)
    if orderer.ou != "orderer":
        raise LedgerError("config.orderer", "a configuration is put into its block by an orderer")
    said = parse_maps(configtx_pb2.ConfigEnvelope, payload.data, "configuration")
    asked = parse(common_pb2.Payload, said.last_update.payload, "configuration update")
    _header(asked, common_pb2.CONFIG_UPDATE, config.channel)
    validator.verify(_creator(asked), said.last_update.signature, said.last_update.payload, seconds)
    signed = parse(configtx_pb2.ConfigUpdateEnvelope, asked.data, "configuration update")
    change = parse_maps(configtx_pb2.ConfigUpdate, signed.config_update, "configuration update")
    if change.channel_id != config.channel or change.isolated_data:
        raise LedgerError("config.channel", "the update was made for another channel")
    root, needed = update.apply(config.root, change)
    signers = []
    for each in signed.signatures:
        shown = parse(common_pb2.SignatureHeader, each.signature_header, "signature header")
        message = each.signature_header + signed.config_update
        signers.append(validator.verify(shown.creator, each.signature, message, seconds).signer)
    names = tuple(sorted({each.msp_id for each in signers}))
    if not all(policy.is_satisfied(each, signers) for each in needed):
        raise LedgerError("config.minority", f"signed by {', '.join(names) or 'nobody'}: too few for what it changes")
    if root != said.config.channel_group or said.config.sequence != config.sequence + 1:
        raise LedgerError("config.other", "the configuration is not what the signed update makes of the one before")
    after = channel.of(config.channel, root, block.number, config.digest, config.sequence + 1)
    return Reconfigured(after, seconds, names, 2 + len(signers))


def _header(payload: Any, kind: int, name: str) -> Any:
    header = parse(common_pb2.ChannelHeader, payload.header.channel_header, "channel header")
    if header.type != kind or header.channel_id != name:
        raise LedgerError("config.channel", "this is no configuration of this channel")
    return header


def _creator(payload: Any) -> bytes:
    creator: bytes = parse(common_pb2.SignatureHeader, payload.header.signature_header, "signature header").creator
    return creator
