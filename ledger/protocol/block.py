"""Blocks: Fabric's header hash, data hash and metadata.

A block's hash is SHA-256 over the ASN.1 DER of SEQUENCE { number INTEGER, previous hash and data hash OCTET STRING };
the data hash is SHA-256 over the envelopes' bytes joined (Fabric: protoutil/blockutils.go). Metadata, by index:

    0 SIGNATURES           common.Metadata: value OrdererBlockMetadata { last_config, consenter_metadata }, and one
                           signature an orderer
    1 LAST_CONFIG          common.Metadata: value LastConfig, the same number again
    2 TRANSACTIONS_FILTER  one byte a transaction: its peer.TxValidationCode (not signed by orderers)
    3 ORDERER, 4 COMMIT_HASH  empty; a peer of Fabric keeps a hash of its own in 4, which `shared` takes out

An orderer signs value + its header + header DER. Its header is a SignatureHeader (creator, nonce), or under BFT an
IdentifierHeader (its number among the channel's consenters, nonce).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from fabric_protos.common import common_pb2

from ledger.errors import LedgerError
from ledger.protocol.exact import parse, serialise

SIGNATURES, LAST_CONFIG, TRANSACTIONS_FILTER, COMMIT_HASH = 0, 1, 2, 4
SLOTS = 5
NO_HASH = b""  # what stands as previous hash in block 0


@dataclass(frozen=True, slots=True)
class OrdererSignature:
    """`header`: SignatureHeader bytes (creator, nonce), or IdentifierHeader bytes if `by_number`."""

    header: bytes
    signature: bytes
    by_number: bool = False

    @property
    def number(self) -> int:
        """The signer's number among the consenters; of a signature that is `by_number`."""
        message = parse(common_pb2.IdentifierHeader, self.header, "orderer's identifier header")
        return int(message.identifier)

    @property
    def creator(self) -> bytes:
        """The signer's SerializedIdentity; of a signature that is not `by_number`."""
        identity: bytes = parse(common_pb2.SignatureHeader, self.header, "orderer's signature header").creator
        return identity


@dataclass(frozen=True, slots=True)
class Block:
    """An opened block. `envelopes`: bytes each; `flags`: one TxValidationCode each; `value`: what orderers signed of
    metadata; `last_config`: the block that holds the configuration in force after this one.
    """

    number: int
    previous_hash: bytes
    data_hash: bytes
    envelopes: tuple[bytes, ...]
    flags: bytes
    value: bytes
    last_config: int
    signatures: tuple[OrdererSignature, ...]

    @property
    def header(self) -> bytes:
        return header_bytes(self.number, self.previous_hash, self.data_hash)

    @property
    def hash(self) -> bytes:
        return sha256(self.header).digest()

    def signed_bytes(self, signature: OrdererSignature) -> bytes:
        """What the orderer who made `signature` signed."""
        return self.value + signature.header + self.header


def header_bytes(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """The DER that a block's hash and its orderers' signatures cover."""
    integer = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return _der(0x30, _der(0x02, integer) + _der(0x04, previous_hash) + _der(0x04, data_hash))


def header_hash(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    return sha256(header_bytes(number, previous_hash, data_hash)).digest()


def data_hash(envelopes: Sequence[bytes]) -> bytes:
    return sha256(b"".join(envelopes)).digest()


def orderer_value() -> bytes:
    """The signed part of metadata where the configuration is the genesis block's and never changes."""
    return serialise(common_pb2.OrdererBlockMetadata(last_config={"index": 0}))


def shared(block: Any) -> bytes:
    """The bytes of `block` (common.Block), as one peer sent it, without what is that peer's own.

    Under BFT each orderer keeps a block with the signatures that reached it first: header, transactions and verdicts
    are the same at every peer, but which orderers signed may differ.
    """
    if len(block.metadata.metadata) > COMMIT_HASH:
        block.metadata.metadata[COMMIT_HASH] = b""
    return serialise(block)


def build(
    number: int,
    previous_hash: bytes,
    envelopes: Sequence[bytes],
    flags: bytes,
    signatures: Sequence[OrdererSignature],
) -> bytes:
    """A block's bytes. `flags` has one byte for each envelope."""
    return assemble(number, previous_hash, data_hash(envelopes), envelopes, flags=flags, signatures=signatures)


def assemble(
    number: int,
    previous_hash: bytes,
    hashed: bytes,
    envelopes: Sequence[bytes],
    *,
    flags: bytes,
    signatures: Sequence[OrdererSignature],
) -> bytes:
    """As `build`, where the data hash is known already: `hashed`."""
    signed = common_pb2.Metadata(
        value=orderer_value(),
        signatures=[{"signature_header": each.header, "signature": each.signature} for each in signatures],
    )
    message = common_pb2.Block(
        header={"number": number, "previous_hash": previous_hash, "data_hash": hashed},
        data={"data": list(envelopes)},
        metadata={"metadata": [serialise(signed), _last_config(0), flags, b"", b""]},
    )
    return serialise(message)


def open_block(data: bytes) -> Block:
    """Read a block strictly and check its data hash and the shape of its metadata; no keys are used.

    Raises LedgerError `bytes.*`, `block.data-hash`, `block.metadata`, `block.empty`.
    """
    message = parse(common_pb2.Block, data, "block")
    slots = message.metadata.metadata
    envelopes = tuple(message.data.data)
    if not envelopes:
        raise LedgerError("block.empty", "a block holds at least one transaction")
    if data_hash(envelopes) != message.header.data_hash:
        raise LedgerError("block.data-hash", "the block's transactions are not those its header names")
    if len(slots) != SLOTS or slots[3] or slots[COMMIT_HASH]:
        raise LedgerError("block.metadata", "the block's metadata is not what its writer had to write")
    if len(slots[TRANSACTIONS_FILTER]) != len(envelopes):
        raise LedgerError("block.metadata", "the block does not have one validation code for each transaction")
    signed = parse(common_pb2.Metadata, slots[SIGNATURES], "block signatures")
    value = parse(common_pb2.OrdererBlockMetadata, signed.value, "orderers' metadata")
    last_config = value.last_config.index
    if not value.HasField("last_config") or slots[LAST_CONFIG] != _last_config(last_config):
        raise LedgerError("block.metadata", "the block names two configuration blocks, or none")
    return Block(
        message.header.number,
        message.header.previous_hash,
        message.header.data_hash,
        envelopes,
        slots[TRANSACTIONS_FILTER],
        signed.value,
        last_config,
        tuple(_orderer_signature(each) for each in signed.signatures),
    )


def _orderer_signature(message: Any) -> OrdererSignature:
    if bool(message.identifier_header) == bool(message.signature_header):
        raise LedgerError("block.metadata", "an orderer's signature has one header")
    by_number = bool(message.identifier_header)
    return OrdererSignature(message.identifier_header or message.signature_header, message.signature, by_number)


def _last_config(number: int) -> bytes:
    return serialise(common_pb2.Metadata(value=serialise(common_pb2.LastConfig(index=number))))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    width = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + size.to_bytes(width, "big") + content
