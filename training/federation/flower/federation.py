"""What the rounds ask of the sites (rounds.Federation), as Flower's messages; a strategy that does not fail open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from training.federation.aggregate import aggregate
from training.federation.flower.grid import TransportGrid
from training.federation.flower.wire import ARRAYS, FACTS, TYPES, WEIGHTS, arrays_of, config_of, reply_of, vector_of
from training.federation.messages import Reply, Request
from training.federation.vectors import Vector


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
