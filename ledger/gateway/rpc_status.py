"""google.rpc.Status, the message in which a Fabric gateway packs what each node said about a failure.

It travels in the trailing metadata `grpc-status-details-bin`. The bindings that ship it (googleapis-common-protos)
are one message of interest, so it is declared here, in a pool of its own, field for field as in
google/rpc/status.proto.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fabric_protos.gateway import gateway_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

METADATA_KEY = "grpc-status-details-bin"
TYPE_URL = "type.googleapis.com/gateway.ErrorDetail"


def pack(code: int, message: str, details: Iterable[gateway_pb2.ErrorDetail]) -> bytes:
    """The bytes of a Status: gRPC code number, message, and one ErrorDetail a node."""
    status = _STATUS(code=code, message=message)
    for detail in details:
        status.details.add(type_url=TYPE_URL, value=detail.SerializeToString())
    return bytes(status.SerializeToString())


def unpack(data: bytes) -> tuple[gateway_pb2.ErrorDetail, ...]:
    """The ErrorDetails in a Status; other kinds of detail are left out. Raises protobuf's DecodeError on other
    bytes.
    """
    status = _STATUS.FromString(data)
    return tuple(
        gateway_pb2.ErrorDetail.FromString(entry.value)
        for entry in status.details
        if entry.type_url.rpartition("/")[2] == "gateway.ErrorDetail"
    )


def _declare() -> Any:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="google/rpc/status.proto", package="google.rpc", syntax="proto3")
    detail = file.message_type.add(name="Detail")  # google.protobuf.Any on the wire
    detail.field.add(name="type_url", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    detail.field.add(name="value", number=2, type=field.TYPE_BYTES, label=field.LABEL_OPTIONAL)
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    status.field.add(
        name="details", number=3, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=".google.rpc.Detail"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


_STATUS = _declare()
