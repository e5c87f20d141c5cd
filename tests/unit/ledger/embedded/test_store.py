"""A block is written whole or not at all; a full disk is said, and what stands can still be read."""

from __future__ import annotations

import asyncio
import time

import pytest
from fabric_protos.peer import transaction_pb2

from consent import canonical
from ledger.embedded import node as nodes
from ledger.embedded.committer import Committer, Pending
from ledger.embedded.layout import Layout
from ledger.embedded.prepared import Prepared, PreparedTransactions
from ledger.embedded.simulation import Simulation
from ledger.embedded.store import TOGETHER, Indexed, Store
from ledger.errors import LedgerError
from ledger.identity.msp import Identity
from ledger.protocol import block, proposal
from ledger.protocol.rwset import RangeRead, ReadWriteSet
from tests.unit.ledger.embedded.harness import found
from tests.unit.ledger.misuse import MISUSE

VALID, PHANTOM = transaction_pb2.VALID, transaction_pb2.PHANTOM_READ_CONFLICT


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "ledger.sqlite")
    made.append(0, block.build(0, b"", [b"genesis"], b"\0", []), [], {})
    yield made
    made.close()


@pytest.fixture
def committer(store, tmp_path):
    server = found(tmp_path / "identities")
    done = []
    made = Committer(store, Identity.load(Layout(server.directory).orderer), done.append)
    made.done = done
    return made


def pending(number: int, *, reads=(), writes=(), ranges=()) -> Pending:
    return Pending(f"{number:064x}", b"envelope %d" % number, ReadWriteSet(reads, writes, ranges))


def test_many_keys_at_once_are_each_read_as_alone(store):
    stand = {f"k{number}": (b"%d" % number, (1, number)) for number in range(0, 3 * TOGETHER, 2)}
    store.append(1, b"block", [], stand)
    asked, reader = [f"k{number}" for number in range(3 * TOGETHER)] + ["a\0b", "ü"], store.reader()
    assert reader.states(asked) == {key: found for key in asked if (found := reader.state(key))} == stand
    assert reader.versions(asked) == {key: version for key, (_, version) in stand.items()}
    assert reader.states([]) == reader.versions([]) == {}


def test_which_of_many_transactions_stand(store):
    ids = [f"{number:064x}" for number in range(3 * TOGETHER)]
    store.append(1, b"block", [Indexed(each, 1, place, VALID) for place, each in enumerate(ids[::2])], {})
    reader = store.reader()
    assert reader.standing(ids) == set(ids[::2]) == {each for each in ids if reader.transaction(each)}
    assert reader.standing([]) == set()


def test_what_was_appended_is_read_in_snapshots(store):
    reader, later = store.reader(), store.reader()
    store.append(1, b"block", [Indexed("00" * 32, 1, 0, VALID)], {"a": (b"1", (1, 0)), "b": (b"2", (1, 0))})
    assert (reader.height(), reader.block(1), reader.transaction("00" * 32).block) == (2, b"block", 1)
    with reader.snapshot():
        assert reader.state("a") == (b"1", (1, 0))
        store.append(2, b"block", [], {"a": (None, (2, 0))})
        assert reader.state("a") == (b"1", (1, 0))
    assert reader.state("a") is None
    assert [key for key, _, _ in later.scan("", "")] == ["b"]
    assert [key for key, _, _ in later.scan("a", "b")] == []


def test_a_block_that_fails_leaves_nothing(store):
    with pytest.raises(LedgerError, match=r"ledger\.damaged"):
        store.append(0, b"again", [], {"a": (b"1", (1, 0))})
    assert store.reader().state("a") is None
    store.append(1, b"next", [], {})


def test_within_a_block_the_first_reader_of_a_key_wins(committer, store):
    reads, writes = (("k", None),), (("k", b"1"),)
    outcome = committer.commit([pending(1, reads=reads, writes=writes), pending(2, reads=reads, writes=writes)])
    assert list(outcome.codes) == [VALID, transaction_pb2.MVCC_READ_CONFLICT]
    assert store.reader().state("k") == (b"1", (1, 0))


def test_a_phantom_within_a_block_is_found(committer):
    ranged = (RangeRead("a", "z", True, ()),)
    outcome = committer.commit([pending(1, writes=(("k", b"1"),)), pending(2, ranges=ranged)])
    assert list(outcome.codes) == [VALID, PHANTOM]
    seen = (RangeRead("a", "z", True, (("k", (1, 0)),)),)
    deleting = pending(3, writes=(("k", None),))
    assert list(committer.commit([pending(4, ranges=seen), deleting, pending(5, ranges=seen)]).codes) == [
        VALID,
        VALID,
        PHANTOM,
    ]


def test_an_id_counts_once_in_a_block_and_ever_after(committer, store):
    twice = pending(1, writes=(("k", b"1"),))
    assert list(committer.commit([twice, twice]).codes) == [VALID, transaction_pb2.DUPLICATE_TXID]
    assert list(committer.commit([twice]).codes) == [transaction_pb2.DUPLICATE_TXID]
    assert store.reader().transaction(twice.tx_id).block == 1


def test_a_full_disk_writes_nothing_and_reading_goes_on(committer, store):
    committer.commit([pending(1, writes=(("k", b"1"),))])
    store.limit(32)  # SQLite refuses further pages as on a full disk
    outcome = committer.commit([pending(2, writes=(("big", bytes(4096 * 64)),))])
    assert outcome.failure.code == "ledger.disk-full"
    reader = store.reader()
    assert (reader.state("k"), reader.state("big"), reader.height()) == ((b"1", (1, 0)), None, 2)
    store.limit(2**20)  # space again
    assert committer.commit([pending(3, writes=(("big", bytes(4096 * 64)),))]).failure is None
    blocks = [block.open_block(store.reader().block(number)) for number in (1, 2)]
    assert blocks[1].previous_hash == blocks[0].hash


def test_clients_are_told_of_a_full_disk_and_can_still_read(tmp_path):
    """The same through the services' own Node: status calls end with the reason, and later ones succeed."""
    server = found(tmp_path / "ledger")

    async def scenario() -> None:
        node = nodes.Node(Layout(server.directory))
        try:
            node.store.limit(32)
            big = pending(1, writes=(("big", bytes(4096 * 64)),))
            node.progress.expect(big.tx_id)
            node.committer.put(big)
            for _ in range(2):  # while it happens, and afterwards
                with pytest.raises(LedgerError, match=r"ledger\.disk-full"):
                    await asyncio.wait_for(node.progress.outcome(big.tx_id), 10)
            assert node.reader.height() == 1
            node.store.limit(2**20)
            node.progress.expect(big.tx_id)
            node.committer.put(big)
            assert await asyncio.wait_for(node.progress.outcome(big.tx_id), 10) == (VALID, 1)
        finally:
            await node.close()

    asyncio.run(scenario())


def test_prepared_transactions_are_bounded_and_match_by_byte():
    heading = proposal.Heading("c", "c", "id", 0, 0, b"", b"", b"", b"")
    kept = PreparedTransactions(largest=10)
    kept.add(Prepared(heading, b"12345", ReadWriteSet((), ())))
    assert kept.take("id", b"12346") is None
    assert kept.take("id", b"12345") is not None
    assert kept.take("id", b"12345") is None
    kept.add(Prepared(heading, b"12345678901", ReadWriteSet((), ())))
    assert kept.take("id", b"12345678901") is None


class TestSimulation:
    @pytest.fixture
    def simulation(self, store):
        store.append(1, b"block", [], {"a": (b"1", (1, 0))})
        data = proposal.build(
            channel="covenant",
            chaincode="covenant",
            args=[b"a:B", canonical.encode({})],
            creator=b"creator",
            nonce=b"n" * 24,
            seconds=int(time.time()),
            transient={"evidence": b"e"},
        )
        return lambda reading=False: Simulation(store.reader(), proposal.open_proposal(data), None, (), reading=reading)

    def test_reads_carry_versions_and_writes_are_not_seen(self, simulation):
        made = simulation()
        assert (made.get("a"), made.get("b"), made.evidence()) == (b"1", None, b"e")
        made.put("a", b"2")
        made.delete("c")
        assert (made.reads, made.writes) == ({"a": (1, 0), "b": None}, {"a": b"2", "c": None})

    @pytest.mark.parametrize(("code", "misuse"), MISUSE)
    def test_misuse_is_refused(self, simulation, code, misuse):
        with pytest.raises(LedgerError) as refusal:
            misuse(simulation())
        assert refusal.value.code == code

    def test_an_evaluation_may_range(self, simulation):
        assert list(simulation(reading=True).range("", "z")) == [("a", b"1")]
