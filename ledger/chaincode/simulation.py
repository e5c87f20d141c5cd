"""One contract call over a peer's state: reads go to the peer one by one or many at once, writes when the call is done.

A refused call sends no writes at all: the peer's simulation of it is empty, as a refusal's must be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fabric_protos.ledger.queryresult import kv_query_result_pb2
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2

from ledger.contracts.rules import Rules
from ledger.contracts.stub import Creator
from ledger.errors import LedgerError
from ledger.protocol.proposal import Proposal

PAGE = 500  # results of a range that the peer sends in one message

Message = chaincode_shim_pb2.ChaincodeMessage
Ask = Callable[[int, Any], bytes]  # (ChaincodeMessage type, its payload's message) -> the answer's payload


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer does beyond single reads and writes: how many keys it takes in one message, 1 where it takes one."""

    writes: int = 1
    reads: int = 1

    @classmethod
    def read(cls, payload: bytes) -> Offer:
        """From the payload of READY."""
        said = chaincode_pb2.ChaincodeAdditionalParams.FromString(payload)
        return cls(
            max(1, said.max_size_write_batch if said.use_write_batch else 1),
            max(1, said.max_size_get_multiple_keys if said.use_get_multiple_keys else 1),
        )


class Simulation(Rules):
    """A call over the state of the peer that `ask` reaches."""

    def __init__(
        self,
        ask: Ask,
        offer: Offer,
        proposal: Proposal,
        creator: Creator,
        *,
        hospitals: tuple[str, ...],
        ranging: bool,
    ) -> None:
        heading = proposal.heading
        super().__init__(
            channel=heading.channel,
            hospitals=hospitals,
            tx_id=heading.tx_id,
            now=heading.seconds,
            creator=creator,
            transient=proposal.transient,
            ranging=ranging,
        )
        self._ask, self._offer = ask, offer
        self._fetched: dict[str, bytes] = {}
        self._unread: set[str] = set()

    def expect(self, keys: Sequence[str]) -> None:
        if self._offer.reads == 1:
            return
        for part in _parts(keys, self._offer.reads):
            payload = self._ask(Message.GET_STATE_MULTIPLE, chaincode_shim_pb2.GetStateMultiple(keys=part))
            values = chaincode_shim_pb2.GetStateMultipleResult.FromString(payload).values
            self._fetched.update(zip(part, values, strict=True))
            self._unread.update(part)

    def commit(self) -> None:
        """Send what was written, in the order it was written.

        Raises LedgerError `host.expected-unread`: what was fetched stands among the transaction's reads, and an auditor
        who runs the contract again must find the same.
        """
        if self._unread:
            raise LedgerError("host.expected-unread", "the contract expected keys that it did not read: report this")
        if self._offer.writes > 1:
            for part in _parts(self.writes.items(), self._offer.writes):
                batch = chaincode_shim_pb2.WriteBatchState(rec=[_record(key, value) for key, value in part])
                self._ask(Message.WRITE_BATCH_STATE, batch)
            return
        for key, value in self.writes.items():
            if value is None:
                self._ask(Message.DEL_STATE, chaincode_shim_pb2.DelState(key=key))
            else:
                self._ask(Message.PUT_STATE, chaincode_shim_pb2.PutState(key=key, value=value))

    def _find(self, key: str) -> bytes | None:
        self._unread.discard(key)
        value = self._fetched.get(key)
        if value is None:
            value = self._ask(Message.GET_STATE, chaincode_shim_pb2.GetState(key=key))
        return value or None  # no value is empty: see Rules.put

    def _scan(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Page by page, each from where the last one ended. Reading on with QUERY_STATE_NEXT instead would end, without
        a word, at the peer's own limit of results a query (core.yaml, totalQueryLimit).
        """
        bookmark = start
        while True:
            paging = chaincode_shim_pb2.QueryMetadata(pageSize=PAGE, bookmark=bookmark)
            wanted = chaincode_shim_pb2.GetStateByRange(startKey=start, endKey=end, metadata=paging.SerializeToString())
            page = chaincode_shim_pb2.QueryResponse.FromString(self._ask(Message.GET_STATE_BY_RANGE, wanted))
            for result in page.results:
                pair = kv_query_result_pb2.KV.FromString(result.resultBytes)
                yield pair.key, pair.value
            bookmark = chaincode_shim_pb2.QueryResponseMetadata.FromString(page.metadata).bookmark
            if not bookmark:
                return


def _record(key: str, value: bytes | None) -> Any:
    record = chaincode_shim_pb2.WriteRecord
    if value is None:
        return record(key=key, type=record.DEL_STATE)
    return record(key=key, value=value, type=record.PUT_STATE)


def _parts(items: Any, size: int) -> Iterator[list[Any]]:
    """`items` in lists of `size` and a rest."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
