"""The two things a federation needs from a network: deliver small messages, keep large vectors beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from training.errors import TrainingError
from training.federation.vectors import digest_bytes


class Transport(Protocol):
    """Carries bytes to a site and its answer back. It may lose, delay, repeat; it never decides anything."""

    def send(self, site: str, message_id: str, message: bytes, seconds: float) -> None:
        """Hand `message` over for `site`. The same id may be sent again; after `seconds` it need not arrive."""

    def receive(self, site: str, message_id: str) -> bytes | None:
        """The answer to `message_id`, or None while there is none. Does not wait."""

    def forget(self, site: str, message_id: str) -> None:
        """The answer is not wanted any more."""


class Blobs(Protocol):
    """Vectors by their digest (vectors.digest_bytes). A hospital writes its own, everybody reads all."""

    def put(self, data: bytes) -> str:
        """Keep `data`; its digest."""

    def get(self, digest: str) -> bytes:
        """The bytes with this digest, verified. Raises TrainingError `blob.missing`."""


class MemoryBlobs:
    """Blobs of one process."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = digest_bytes(data)
        self._kept[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self._kept:
            raise missing(digest)
        return self._kept[digest]


class LocalTransport:
    """A network of one process: a message is answered while it is sent."""

    def __init__(self, sites: Mapping[str, Callable[[bytes], bytes]]) -> None:
        self._sites = sites
        self._answers: dict[tuple[str, str], bytes] = {}

    def send(self, site: str, message_id: str, message: bytes, seconds: float) -> None:
        self._answers[site, message_id] = self._sites[site](message)

    def receive(self, site: str, message_id: str) -> bytes | None:
        return self._answers.get((site, message_id))

    def forget(self, site: str, message_id: str) -> None:
        self._answers.pop((site, message_id), None)


def missing(digest: str) -> TrainingError:
    return TrainingError("blob.missing", f"nobody keeps the vector {digest[:16]} any more", digest=digest)
