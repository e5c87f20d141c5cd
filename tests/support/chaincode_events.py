"""Fabric's own stream of events, followed as a client does that is not Covenant's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fabric_protos.gateway import gateway_pb2
from fabric_protos.orderer import ab_pb2

FIRST = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=0))


def follow(stub: Any, identity: Any, start: Any, after: str = "", *, channel: str = "covenant") -> Iterator[Any]:
    """The stream's answers; it breaks off after 30 seconds. `identity`: `serialized`, and `sign(bytes)`."""
    asked = gateway_pb2.ChaincodeEventsRequest(
        channel_id=channel,
        chaincode_id="covenant",
        identity=identity.serialized,
        start_position=start,
        after_transaction_id=after,
    ).SerializeToString()
    request = gateway_pb2.SignedChaincodeEventsRequest(request=asked, signature=identity.sign(asked))
    answers: Iterator[Any] = stub.ChaincodeEvents(request, timeout=30)
    return answers
