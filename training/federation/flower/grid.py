"""Flower's Grid over any transport: deadlines, sending again, and an answer only from the one who was asked."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from training.errors import TrainingError
from training.federation.flower.wire import HUB_NODE, RUN_ID, pack, unpack
from training.federation.transport import Blobs, Transport

TASK_ID = 1
POLL = 0.01  # seconds between two looks for answers
RESEND = 3.0  # seconds until an unanswered message is sent again, twice as long each time
RESEND_AT_MOST = 60.0


class TransportGrid(Grid):  # type: ignore[misc]  # flwr is read as Any (pyproject.toml)
    """Flower's Grid over a Transport: node ids 1, 2, ... are `sites` in their given order."""

    def __init__(self, transport: Transport, blobs: Blobs, sites: Sequence[str], resend: float = RESEND) -> None:
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = RUN_ID, HUB_NODE, TASK_ID
        self._transport = transport
        self._blobs = blobs
        self._resend = resend
        self._site_of = dict(enumerate(sites, start=1))
        self._sent: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        """There is one run: studies are told apart by their messages."""

    @property
    def run(self) -> Run:
        return Run.create_empty(run_id=RUN_ID)

    def get_node_ids(self) -> Iterable[int]:
        return list(self._site_of)

    def site_of(self, message: Message) -> str:
        """The site that answered `message`."""
        return self._site_of[message.metadata.src_node_id]

    def node_of(self, site: str) -> int:
        return next(node for node, name in self._site_of.items() if name == site)

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        """Send each once; its id."""
        ids = []
        for message in messages:
            name = uuid.uuid4().hex
            message.metadata.__dict__["_message_id"] = name  # a SuperLink would set it; Flower has no setter
            self._sent[name] = message
            self._send(name)
            ids.append(name)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """The answers that are there, each once."""
        return [reply for name in message_ids if (reply := self._take(name)) is not None]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        """Every answer that came within `timeout` seconds (no limit where None); whoever is missing did not answer."""
        waiting = self.push_messages(messages)
        started = sent = time.monotonic()
        patience = self._resend
        replies: list[Message] = []
        while True:
            replies += self.pull_messages(waiting)
            waiting = [name for name in waiting if name in self._sent]
            now = time.monotonic()
            if not waiting or (timeout is not None and now - started >= timeout):
                break
            if now - sent >= patience:
                sent, patience = now, min(2 * patience, RESEND_AT_MOST)
                for name in waiting:
                    self._send(name)
            time.sleep(POLL)
        for name in waiting:
            self._forget(name)
        return replies

    def _send(self, name: str) -> None:
        message = self._sent[name]
        site = self._site_of[message.metadata.dst_node_id]
        self._transport.send(site, name, pack(message, self._blobs), message.metadata.ttl)

    def _take(self, name: str) -> Message | None:
        if (sent := self._sent.get(name)) is None:
            return None
        data = self._transport.receive(self._site_of[sent.metadata.dst_node_id], name)
        if data is None:
            return None
        self._forget(name)
        try:
            reply = unpack(data, self._blobs)
        except TrainingError:  # this site's failure, not the study's
            return Message(Error(code=0), reply_to=sent)
        told = (reply.metadata.reply_to_message_id, reply.metadata.src_node_id)
        return reply if told == (name, sent.metadata.dst_node_id) else None  # not an answer to this: as if unanswered

    def _forget(self, name: str) -> None:
        message = self._sent.pop(name)
        self._transport.forget(self._site_of[message.metadata.dst_node_id], name)
