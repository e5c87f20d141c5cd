"""Requests, replies and vectors as Flower's records, and a message as the bytes that travel."""

from __future__ import annotations

from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as WireMessage

from training.errors import TrainingError
from training.federation.messages import Reply, Request, is_code
from training.federation.transport import Blobs
from training.federation.vectors import Vector, from_bytes, to_bytes

RUN_ID, HUB_NODE = 1, 0
FACTS, ARRAYS, WEIGHTS = "facts", "arrays", "weights"
TYPES = {
    "cohort": "query.cohort",
    "train": "train",
    "evaluate": "evaluate",
    "confirm": "query.confirm",
    "describe": "query.describe",
}


def pack(message: Message, blobs: Blobs) -> bytes:
    """The bytes of `message`, its array put into `blobs` and named by digest."""
    content = message.content
    facts = dict(content.config_records[FACTS])
    if ARRAYS in content.array_records:
        facts[ARRAYS] = blobs.put(to_bytes(content.array_records[ARRAYS][WEIGHTS].numpy()))
    light = Message(RecordDict({FACTS: ConfigRecord(facts)}), metadata=message.metadata)
    return bytes(message_to_proto(light).SerializeToString())


def unpack(data: bytes, blobs: Blobs) -> Message:
    """The message that `data` spells, its array fetched. Raises TrainingError `message.malformed`, `blob.missing`."""
    try:
        message = message_from_proto(WireMessage.FromString(data))
        facts = dict(message.content.config_records[FACTS])
    except Exception as error:
        raise TrainingError("message.malformed", "these bytes are no message of this federation") from error
    name = facts.pop(ARRAYS, None)
    records: dict[str, Any] = {FACTS: ConfigRecord(facts)}
    if name is not None:
        records[ARRAYS] = arrays_of(from_bytes(blobs.get(str(name))))
    message.content = RecordDict(records)
    return message


def arrays_of(vector: Vector) -> ArrayRecord:
    return ArrayRecord({WEIGHTS: Array(np.ascontiguousarray(vector))})


def vector_of(message: Message) -> Vector | None:
    records = message.content.array_records
    return records[ARRAYS][WEIGHTS].numpy() if ARRAYS in records else None


def config_of(request: Request) -> ConfigRecord:
    return ConfigRecord(
        {
            "kind": request.kind,
            "study": request.study,
            "round": request.round,
            "attempt": request.attempt,
            "height": request.height,
            "certificate": request.certificate,
        }
    )


def request_of(message: Message) -> Request:
    """Raises TrainingError `message.malformed`."""
    facts = message.content.config_records[FACTS]
    kinds = {"kind": str, "study": str, "round": int, "attempt": int, "height": int, "certificate": str}
    if set(facts) != set(kinds) or any(type(facts[name]) is not kind for name, kind in kinds.items()):
        raise TrainingError("message.malformed", "this message asks for nothing that a site does")
    request = Request(**facts)
    if TYPES.get(request.kind) != message.metadata.message_type:
        raise TrainingError("message.malformed", "this message is not of the kind that it says")
    return request


def reply_of(message: Message, site: str) -> Reply:
    """What `site` answered: a reply in another's name, or none of ours, counts as a failure of that site."""
    if message.has_error():
        return Reply(site=site, code="site.failed", message="the site's application failed")
    told = {name: str(value) for name, value in message.content.config_records[FACTS].items()}
    if told.get("site") != site:
        return Reply(site=site, code="site.impostor", message="this answer was given in another site's name")
    code = told.get("code")
    if code is not None and not is_code(code):
        return Reply(site=site, code="site.code-odd", message="the site refused with something that is no code")
    facts = {name.removeprefix("fact."): value for name, value in told.items() if name.startswith("fact.")}
    return Reply(site=site, facts=facts, code=code, message=told.get("message"))
