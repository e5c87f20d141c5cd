"""Flower, behind one door: the only module that imports flwr. Its messages, apps and strategy; our Grid and our rules.

Flower by itself fails open (a run in which every client failed still ends with the initial model) and averages by what
the clients claim. So here the strategy demands a reply of every site and averages with the plan's public weights, in
double precision, in the order of the sites; and the Grid has deadlines and sends again.

    grid = TransportGrid(transport, blobs, ["ClevelandMSP", "HungaryMSP"])
    federation = FlowerFederation(grid)          # what rounds.StudyRunner asks
    server_app(lambda grid, context: runner.run(study))(grid, context())

A message in transit carries one ConfigRecord; its array travels beside it, by digest.
"""

from __future__ import annotations

import os

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"  # before flwr is imported: it reads this at import

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Error, Message, MetricRecord, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.message_pb2 import Message as WireMessage
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import Strategy
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from consent.errors import CovenantError
from training.errors import TrainingError
from training.federation.aggregate import aggregate
from training.federation.messages import Reply, Request, is_code
from training.federation.transport import Blobs, Transport
from training.federation.vectors import Vector, from_bytes, to_bytes

RUN_ID, HUB_NODE, TASK_ID = 1, 0, 1
POLL = 0.01  # seconds between two looks for answers
RESEND = 3.0  # seconds until an unanswered message is sent again, twice as long each time
RESEND_AT_MOST = 60.0
FACTS, ARRAYS, WEIGHTS = "facts", "arrays", "weights"
TYPES = {
    "cohort": "query.cohort",
    "train": "train",
    "evaluate": "evaluate",
    "confirm": "query.confirm",
    "describe": "query.describe",
}


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


class ConsentedAveraging(Strategy):  # type: ignore[misc]
    """The plan's average over the fixed set: every site of it, or no model at all."""

    def __init__(self, sites: Mapping[int, str], weights: Mapping[str, int], seconds: float) -> None:
        self._sites = sites
        self._weights = weights
        self._seconds = seconds
        self._base: Vector | None = None

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        self._base = arrays[WEIGHTS].numpy()
        return self._messages(TYPES["train"], server_round, RecordDict({ARRAYS: arrays, FACTS: config}), grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        deltas = {self._sites[reply.metadata.src_node_id]: vector_of(reply) for reply in replies}
        complete = {site: delta for site, delta in deltas.items() if delta is not None}
        if self._base is None or set(complete) != set(self._sites.values()):
            return None, None
        return arrays_of(aggregate(self._base, complete, self._weights)), None

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        return self._messages(TYPES["evaluate"], server_round, RecordDict({FACTS: config}), grid)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        return None  # noised counts stand on the ledger, per site; nothing is averaged here

    def summary(self) -> None:
        """Flower would print its settings; ours are on the ledger."""

    def _messages(self, message_type: str, number: int, content: RecordDict, grid: Grid) -> list[Message]:
        return [
            grid.create_message(content, message_type, node, str(number), ttl=self._seconds)
            for node in sorted(self._sites)
        ]


class FlowerFederation:
    """rounds.Federation in Flower's messages."""

    def __init__(self, grid: TransportGrid) -> None:
        self._grid = grid

    def ask(self, request: Request, sites: Sequence[str], seconds: float) -> dict[str, Reply]:
        content = RecordDict({FACTS: config_of(request)})
        messages = [
            self._grid.create_message(
                content, TYPES[request.kind], self._grid.node_of(site), str(request.round), ttl=seconds
            )
            for site in sites
        ]
        return self._replies(self._grid.send_and_receive(messages, timeout=seconds))

    def train(
        self, request: Request, sites: Sequence[str], seconds: float, base: Vector, weights: dict[str, int]
    ) -> tuple[dict[str, Reply], Vector | None]:
        nodes = {self._grid.node_of(site): site for site in sites}
        strategy = ConsentedAveraging(nodes, weights, seconds)
        messages = strategy.configure_train(request.round, arrays_of(base), config_of(request), self._grid)
        answers = self._grid.send_and_receive(messages, timeout=seconds)
        replies = self._replies(answers)
        if any(reply.code for reply in replies.values()):
            return replies, None
        arrays, _ = strategy.aggregate_train(request.round, answers)
        return replies, None if arrays is None else arrays[WEIGHTS].numpy()

    def _replies(self, messages: Iterable[Message]) -> dict[str, Reply]:
        return {site: reply_of(message, site) for message in messages for site in (self._grid.site_of(message),)}


def client_app(site: str, handle: Callable[[Request], tuple[Mapping[str, str], Vector | None]]) -> ClientApp:
    """Flower's ClientApp around a site: `handle` gives facts and, for training, the update; or raises CovenantError."""
    app = ClientApp()

    def answer(message: Message, _: Context) -> Message:
        vector = None
        try:
            facts, vector = handle(request_of(message))
            reply = {"site": site, **{f"fact.{name}": value for name, value in facts.items()}}
        except CovenantError as error:
            reply = {"site": site, "code": error.code}  # the message stays: it may name a line of a file, or a count
        except Exception as error:  # nothing of it may travel: a message could quote a record
            reply = {"site": site, "code": "site.failed", "message": f"this site failed ({type(error).__name__})"}
        records: dict[str, Any] = {FACTS: ConfigRecord(reply)}
        if vector is not None:
            records[ARRAYS] = arrays_of(vector)
        return Message(RecordDict(records), reply_to=message)

    for register in (app.train(), app.evaluate(), app.query("cohort"), app.query("confirm"), app.query("describe")):
        register(answer)
    return app


def deliver(app: ClientApp, blobs: Blobs, data: bytes) -> bytes:
    """A site's end of the wire: one message in, its answer out."""
    return pack(app(unpack(data, blobs), context()), blobs)


def server_app(main: Callable[[Grid, Context], None]) -> ServerApp:
    """Flower's ServerApp that runs `main`."""
    app = ServerApp()
    app.main()(main)
    return app


def context() -> Context:
    """A context without state: everything that must outlive a message stands in our own stores."""
    nothing = UserConfig()
    return Context(run_id=RUN_ID, node_id=HUB_NODE, node_config=nothing, state=RecordDict(), run_config=nothing)


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
