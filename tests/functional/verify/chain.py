"""A chain that a real Fabric network wrote, and whoever holds some of its keys and would write another.

The network is gone when the tests begin: what is left of it are the blocks and the members' keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2

from ledger.identity.msp import Identity
from ledger.protocol import block as wire
from ledger.protocol.exact import serialise
from ledger.protocol.update import apply
from ledger.verify import VerificationFailed, framing, verify


@dataclass(frozen=True)
class Recorded:
    """`blocks`: one peer's export; `other`: the file of another's. `orderers`: each consenter's key, by its number;
    `admins`: by MSP id. `joined`: the block that brought a hospital. `odd`: the block of each transaction that could
    never count. `receipt`: a patient's, whose consent stands on it.
    """

    blocks: tuple[bytes, ...]
    other: Path
    orderers: dict[int, Identity]
    admins: dict[str, Identity]
    joined: int
    odd: dict[str, int]
    receipt: Path

    @property
    def genesis(self) -> str:
        return sha256(self.blocks[0]).hexdigest()

    @property
    def head(self) -> tuple[int, str]:
        return len(self.blocks), wire.open_block(self.blocks[-1]).hash.hex()


def refusal(recorded: Recorded, blocks: Sequence[bytes], path: Path, **options: Any) -> VerificationFailed:
    """Why `blocks` do not verify."""
    framing.write(path, blocks)
    try:
        verify(path, recorded.genesis, workers=1, **options)
    except VerificationFailed as failure:
        return failure
    raise AssertionError("it verifies")


def changed(data: bytes, change: Callable[[Any], None]) -> bytes:
    """One block's bytes with `change` made to the message; nothing else is mended."""
    message = common_pb2.Block.FromString(data)
    change(message)
    return serialise(message)


def rewritten(
    recorded: Recorded, number: int, change: Callable[[Any], None], signers: Sequence[int], *, upto: int | None = None
) -> list[bytes]:
    """The chain with `change` made to block `number`; it and all after it (before `upto`) hashed and linked anew, and
    signed by the orderers `signers`: what those could do together.
    """
    blocks = list(recorded.blocks[:number])
    previous = wire.open_block(blocks[-1]).hash
    for data in recorded.blocks[number:upto]:
        message = common_pb2.Block.FromString(data)
        if len(blocks) == number:
            change(message)
        message.header.previous_hash = previous
        message.header.data_hash = wire.data_hash(message.data.data)
        sign(recorded, message, signers)
        blocks.append(serialise(message))
        previous = wire.open_block(blocks[-1]).hash
    return blocks


def appended(recorded: Recorded, envelopes: Sequence[bytes], signers: Sequence[int], config: bool) -> list[bytes]:
    """The chain and one more block with `envelopes`, marked valid."""
    last = wire.open_block(recorded.blocks[-1])
    message = common_pb2.Block.FromString(recorded.blocks[-1])
    del message.data.data[:]
    message.data.data.extend(envelopes)
    header = message.header
    header.number, header.previous_hash, header.data_hash = last.number + 1, last.hash, wire.data_hash(envelopes)
    message.metadata.metadata[wire.TRANSACTIONS_FILTER] = bytes(len(envelopes))
    if config:
        index = common_pb2.LastConfig(index=header.number)
        message.metadata.metadata[wire.LAST_CONFIG] = serialise(common_pb2.Metadata(value=serialise(index)))
        signed = common_pb2.Metadata(value=serialise(common_pb2.OrdererBlockMetadata(last_config=index)))
        message.metadata.metadata[wire.SIGNATURES] = serialise(signed)
    sign(recorded, message, signers)
    return [*recorded.blocks, serialise(message)]


def sign(recorded: Recorded, message: Any, signers: Sequence[int]) -> None:
    """Replace the signatures of a block by those of the orderers `signers`."""
    signed = common_pb2.Metadata.FromString(message.metadata.metadata[wire.SIGNATURES])
    header = wire.header_bytes(message.header.number, message.header.previous_hash, message.header.data_hash)
    del signed.signatures[:]
    for number in signers:
        shown = serialise(common_pb2.IdentifierHeader(identifier=number, nonce=os.urandom(24)))
        signature = recorded.orderers[number].sign(signed.value + shown + header)
        signed.signatures.append(common_pb2.MetadataSignature(identifier_header=shown, signature=signature))
    message.metadata.metadata[wire.SIGNATURES] = serialise(signed)


def reconfigured(
    recorded: Recorded, change: Callable[[Any, Any], None], admins: Sequence[str], result: Any = None
) -> bytes:
    """A configuration envelope on top of the chain's newest configuration, signed by the administrators `admins`.

    `change` is given the update's read set and write set; `result` stands in place of what they lead to.
    """
    payload = common_pb2.Payload.FromString(
        common_pb2.Envelope.FromString(
            common_pb2.Block.FromString(recorded.blocks[recorded.joined]).data.data[0]
        ).payload
    )
    config = configtx_pb2.ConfigEnvelope.FromString(payload.data).config
    update = configtx_pb2.ConfigUpdate(channel_id="covenant")
    for each in (update.read_set, update.write_set):
        each.version = config.channel_group.version
    change(config.channel_group, update)
    after, _ = apply(config.channel_group, update)
    data = serialise(update)
    signatures = []
    for msp in admins:
        header = serialise(common_pb2.SignatureHeader(creator=recorded.admins[msp].serialized, nonce=os.urandom(24)))
        signature = recorded.admins[msp].sign(header + data)
        signatures.append(configtx_pb2.ConfigSignature(signature_header=header, signature=signature))
    asked = configtx_pb2.ConfigUpdateEnvelope(config_update=data, signatures=signatures)
    seconds = common_pb2.ChannelHeader.FromString(payload.header.channel_header).timestamp.seconds + 60
    said = configtx_pb2.ConfigEnvelope(
        config={"sequence": config.sequence + 1, "channel_group": result or after},
        last_update=_envelope(next(iter(recorded.admins.values())), common_pb2.CONFIG_UPDATE, seconds, asked),
    )
    return serialise(_envelope(recorded.orderers[1], common_pb2.CONFIG, seconds, said))


def _envelope(who: Identity, kind: int, seconds: int, body: Any) -> Any:
    header = common_pb2.ChannelHeader(type=kind, channel_id="covenant", timestamp={"seconds": seconds})
    signer = common_pb2.SignatureHeader(creator=who.serialized, nonce=os.urandom(24))
    payload = serialise(
        common_pb2.Payload(
            header={"channel_header": serialise(header), "signature_header": serialise(signer)}, data=serialise(body)
        )
    )
    return common_pb2.Envelope(payload=payload, signature=who.sign(payload))
