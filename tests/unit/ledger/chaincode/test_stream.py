"""What a peer gets from a host: the same answers, events and writes as from the embedded ledger, however it asks."""

from __future__ import annotations

import threading
import time

import grpc
import pytest

from consent import canonical
from ledger.contracts.sealed import batched
from ledger.protocol import proposal
from tests.contract.world import Patient, Signed, digest
from tests.unit.ledger.chaincode.conftest import wait
from tests.unit.ledger.chaincode.peer import Message, Peer


@pytest.fixture(params=[True, False], ids=["batches", "single"])
def peer(request, shared, founded):
    made = shared.peer(dict(founded), offers=request.param)
    yield made
    made.close()


def batch(*signed: Signed):
    ordered = sorted(signed, key=lambda each: each.commitment)
    return batched(each.sealed() for each in ordered), [each.evidence() for each in ordered]


def patients(count: int) -> list[Signed]:
    return [Patient().grant() for _ in range(count)]


class TestTransactions:
    def test_a_write_carries_its_answer_its_event_and_transient_evidence(self, peer, registrar):
        signed = Patient().grant()
        done = peer.call(registrar, "consents:Record", {"grant": signed.sealed()}, signed.evidence())
        assert done.status == 200, done.message
        record = canonical.decode(done.payload)
        assert record["commitment"] == signed.commitment
        key = f"consents/{signed.commitment}"
        assert done.writes == {key: canonical.encode(record)}
        assert done.event == ("consents.recorded", b""), "an event names what happened, and repeats no record"

    def test_a_query_writes_nothing_and_the_same_again_neither(self, peer, registrar):
        signed = Patient().grant()
        call = registrar, "consents:Record", {"grant": signed.sealed()}, signed.evidence()
        first, again = peer.call(*call), peer.call(*call)
        assert (again.writes, again.event, again.payload) == ({}, None, first.payload)
        read = peer.call(registrar, "consents:Get", {"commitment": signed.commitment})
        assert (read.payload, read.writes, read.event) == (first.payload, {}, None)

    def test_a_refusal_sends_its_code_and_not_one_write(self, peer, registrar):
        one, other = patients(2)
        arguments, evidence = batch(one, other)
        evidence[1] = one.evidence() if evidence[1] != one.evidence() else other.evidence()
        done = peer.call(registrar, "consents:RecordBatch", arguments, evidence)
        assert (done.status, done.payload, done.event, done.writes) == (500, b"", None, {})
        assert done.message.startswith("consents.")
        assert not {"PUT_STATE", "WRITE_BATCH_STATE"} & set(done.kinds)

    def test_500_grants_go_in_few_messages_where_the_peer_takes_many(self, shared, founded, registrar):
        arguments, evidence = batch(*patients(500))
        writes, now = [], int(time.time())
        for offers in (True, False):
            peer = shared.peer(dict(founded), offers=offers)
            done = peer.call(registrar, "consents:RecordBatch", arguments, evidence, seconds=now)
            assert done.status == 200, done.message
            many = {kind: done.kinds.count(kind) for kind in ("GET_STATE_MULTIPLE", "WRITE_BATCH_STATE")}
            one = {kind: done.kinds.count(kind) for kind in ("PUT_STATE",)}
            assert many == dict.fromkeys(many, 5 if offers else 0)
            assert one == {"PUT_STATE": 0 if offers else 500}
            assert len(done.kinds) < 20 if offers else len(done.kinds) > 1000
            writes.append(done.writes)
            peer.close()
        assert writes[0] == writes[1]
        assert len(writes[0]) == 500

    def test_one_grant_asks_once_and_writes_once(self, shared, founded, registrar):
        peer = shared.peer(dict(founded))
        patient = Patient()
        signed = patient.grant()
        call = registrar, "consents:Record", {"grant": signed.sealed()}, signed.evidence()
        first, again = peer.call(*call), peer.call(*call)
        assert (first.status, first.kinds) == (200, ["GET_STATE_MULTIPLE", "WRITE_BATCH_STATE"]), first.message
        assert (again.status, again.kinds) == (200, ["GET_STATE_MULTIPLE"]), again.message
        arguments = {"commitment": signed.commitment, "by": "code"}
        taken = peer.call(registrar, "consents:Withdraw", arguments, signed.withdrawal(code=patient.code))
        assert (taken.status, taken.kinds) == (200, ["GET_STATE_MULTIPLE", "WRITE_BATCH_STATE"]), taken.message
        peer.close()

    def test_many_withdrawals_are_acknowledged_with_few_messages(self, shared, founded, hospital, registrar):
        peer, everyone = shared.peer(dict(founded)), [Patient() for _ in range(70)]
        given = [each.grant() for each in everyone]
        assert peer.call(registrar, "consents:RecordBatch", *batch(*given)).status == 200
        for each, signed in zip(everyone, given, strict=True):
            arguments = {"commitment": signed.commitment, "by": "code"}
            peer.call(registrar, "consents:Withdraw", arguments, signed.withdrawal(code=each.code))
        call = hospital.issue("site", ["site"]), "consents:Acknowledge"
        done = peer.call(*call, {"commitments": sorted(each.commitment for each in given)})
        assert canonical.decode(done.payload) == {"acknowledged": 70, "known": 0}, done.message
        assert done.kinds == ["GET_STATE", *["GET_STATE_MULTIPLE"] * 2, "WRITE_BATCH_STATE"]
        peer.close()


class TestRanges:
    def test_every_result_comes_however_few_the_peer_gives_at_once(self, shared, founded, registrar):
        more = {f"members/org/Z{number:04}MSP": founded["members/org/AlphaMSP"] for number in range(1203)}
        answers = []
        for limit in (7, 100_000):
            peer = shared.peer(founded | more, limit=limit)
            done = peer.call(registrar, "members:List", {})
            assert done.status == 200, done.message
            answers.append(done.payload)
            assert done.kinds == ["GET_STATE_BY_RANGE"] * (173 if limit == 7 else 3)
            peer.close()
        assert answers[0] == answers[1]
        assert len(canonical.decode(answers[0])) == 5 + 1203


class TestManyAtOnce:
    def test_transactions_wait_for_the_peer_side_by_side(self, shared, founded, registrar):
        peer = shared.peer(dict(founded))
        peer.delay = 0.2  # each lookup
        began = time.monotonic()
        running = [
            peer.begin(registrar, "consents:Record", {"grant": each.sealed()}, each.evidence()) for each in patients(50)
        ]
        done = [each.done.result(60) for each in running]
        assert time.monotonic() - began < 15  # one after another: 50 times at least 0.6 s
        assert {each.status for each in done} == {200}
        assert len({key for each in done for key in each.writes}) == 50
        peer.close()

    def test_a_long_batch_lets_others_through(self, shared, founded, registrar):
        """Its signatures are checked in threads."""
        peer = shared.peer(dict(founded))
        arguments, evidence = batch(*patients(500))
        slow = peer.begin(registrar, "consents:RecordBatch", arguments, evidence)
        quick = [peer.begin(registrar, "consents:Get", {"commitment": digest(str(each))}) for each in range(20)]
        assert {each.done.result(60).payload for each in quick} == {b"null"}
        assert slow.done.result(20).status == 200
        peer.close()

    def test_two_peers_do_not_mix(self, shared, founded, registrar):
        peers: list[Peer] = [shared.peer(dict(founded)) for _ in range(2)]
        grants = patients(40)

        def record(peer: Peer, part: list[Signed]) -> None:
            for each in part:
                peer.call(registrar, "consents:Record", {"grant": each.sealed()}, each.evidence())

        threads = [
            threading.Thread(target=record, args=(peer, part))
            for peer, part in zip(peers, (grants[:20], grants[20:]), strict=True)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        for peer, part in zip(peers, (grants[:20], grants[20:]), strict=True):
            found = {key for key in peer.state if key not in founded}
            assert found == {f"consents/{each.commitment}" for each in part}
            peer.close()


class TestRefusedBeforeTheContract:
    @pytest.mark.parametrize("shift", [-301, 302])
    def test_a_proposal_of_another_time(self, peer, registrar, shift):
        done = peer.call(registrar, "consents:Get", {"commitment": digest("x")}, seconds=int(time.time()) + shift)
        assert (done.status, done.message.partition(": ")[0]) == (500, "host.clock-skew")
        assert done.kinds == []

    def test_a_call_through_another_chaincode(self, peer, registrar):
        done = peer.call(registrar, "consents:Get", {"commitment": digest("x")}, chaincode="other")
        assert done.message.startswith("host.indirect-call: ")

    def test_arguments_that_the_client_did_not_sign(self, peer, registrar):
        data = proposal.build(
            channel="covenant",
            chaincode="covenant",
            args=[b"consents:Get", canonical.encode({"commitment": digest("x")})],
            creator=registrar.serialized,
            nonce=b"n" * 24,
            seconds=int(time.time()),
        )
        signed = {"proposal_bytes": data, "signature": b""}
        tx_id = proposal.transaction_id(b"n" * 24, registrar.serialized)
        for args, name, code in (
            ([b"consents:Get", canonical.encode({"commitment": digest("y")})], tx_id, "host.indirect-call"),
            ([b"consents:Get", canonical.encode({"commitment": digest("x")})], "ab", "host.other-transaction"),
        ):
            assert peer.transact(signed, args, name).done.result(10).message.startswith(f"{code}: ")

    def test_bytes_that_are_no_proposal(self, peer):
        done = peer.transact({"proposal_bytes": b"\xff"}, [], "ab").done.result(10)
        assert (done.status, done.message.partition(": ")[0]) == (500, "bytes.malformed")

    def test_a_role_that_the_certificate_does_not_carry(self, peer, hospital):
        nobody = hospital.issue("nobody", [])
        signed = Patient().grant()
        done = peer.call(nobody, "consents:Record", {"grant": signed.sealed()}, signed.evidence())
        assert done.message.startswith("role.missing: ")


class TestTrouble:
    def test_a_peer_that_cannot_answer_refuses_the_call_and_its_words_stay_inside(self, shared, founded, registrar):
        peer = shared.peer(dict(founded))
        peer.broken = True
        done = peer.call(registrar, "consents:Get", {"commitment": digest("x")})
        assert done.message.startswith("host.peer-failed: ")
        assert "secret-key" not in done.message + shared.log
        peer.broken = False
        assert peer.call(registrar, "consents:Get", {"commitment": digest("x")}).status == 200
        peer.close()

    def test_a_stream_that_breaks_leaves_nothing_behind_and_the_peer_comes_back(self, shared, founded, registrar):
        peer = shared.peer(dict(founded))
        peer.delay = 60
        peer.begin(registrar, "consents:Get", {"commitment": digest("x")})
        wait(lambda: "covenant_chaincode_running 1\n" in shared.page("/metrics")[1])
        peer.close()
        wait(lambda: "covenant_chaincode_running 0\n" in shared.page("/metrics")[1])
        again = shared.peer(dict(founded))
        assert again.call(registrar, "consents:Get", {"commitment": digest("x")}).status == 200
        again.close()

    def test_an_answer_nobody_waits_for_is_dropped(self, peer, registrar):
        peer.say(Message(type=Message.RESPONSE, txid="ab", channel_id="covenant"))
        peer.say(Message(type=Message.KEEPALIVE))
        assert peer.call(registrar, "consents:Get", {"commitment": digest("x")}).status == 200


class TestStopping:
    def test_what_runs_is_finished_and_nothing_more_begins(self, serving, founded, registrar):
        peer = serving.peer(dict(founded))
        peer.delay = 1.0
        running = peer.begin(registrar, "consents:Get", {"commitment": digest("x")})
        wait(lambda: "covenant_chaincode_running 1\n" in serving.page("/metrics")[1])
        serving.popen.terminate()
        wait(lambda: serving.page("/healthz")[0] == 503)
        late = peer.begin(registrar, "consents:Get", {"commitment": digest("x")})
        assert running.done.result(10).payload == b"null"
        assert peer.ended.result(10) is grpc.StatusCode.OK
        assert not late.done.done()
        assert serving.popen.wait(60) == 0
        peer.close()
