"""A change of the channel's configuration: who signs it, and that it is sent until it stands; Fabric is played."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from ledger.network import membership
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network
from ledger.network.plan import Member, draw

PLAN = draw(["alpha", "beta", "gamma"], [], host="127.0.0.1", port=7050)
ALPHA, BETA, GAMMA = PLAN.hospitals
AWAY = NetworkError("network.refused", "peer: got unexpected status: SERVICE_UNAVAILABLE -- no Raft leader")
STALE = NetworkError("network.refused", "peer: got unexpected status: BAD_REQUEST -- attempt to set key to version 1")


def names(organisations):
    return [each.name for each in organisations]


def test_those_that_stay_sign_first_and_of_two_the_one_that_leaves_too():
    assert names(membership.voting(PLAN)) == ["alpha", "beta", "gamma"]
    assert names(membership.voting(replace(PLAN, joining="gamma"))) == ["alpha", "beta"]
    two = replace(PLAN, organisations=(BETA,), left=(GAMMA, ALPHA))
    assert names(membership.voting(two)) == ["beta", "alpha", "gamma"]


def test_where_the_channel_refuses_nobody_has_left(monkeypatch, tmp_path):
    network = Network(Layout(tmp_path), PLAN, None)
    network.layout.write(PLAN)

    monkeypatch.setattr(membership, "channel_group", lambda layout, plan: None)

    def refuse(asked, group, tell):
        assert names(asked.plan.hospitals) == ["alpha", "gamma"]
        raise STALE

    monkeypatch.setattr(membership, "reconfigure", refuse)
    with pytest.raises(NetworkError, match="BAD_REQUEST"):
        membership.leave(network, "beta")
    assert network.layout.read() == PLAN
    monkeypatch.setattr(membership, "reconfigure", lambda asked, group, tell: None)
    assert names(membership.leave(network, "beta").plan.left) == ["beta"]
    assert names(network.layout.read().hospitals) == ["alpha", "gamma"]


def test_what_is_half_added_is_finished_first(tmp_path):
    network = Network(Layout(tmp_path), replace(PLAN, joining="gamma"), None)
    for other in (
        lambda: membership.join(network, Member.named("delta")),
        lambda: membership.leave(network, "alpha"),
    ):
        with pytest.raises(NetworkError, match=r"^network\.joining: .*`covenant network join gamma`"):
            other()


class Channel:
    """A channel whose configuration is number 1; each answer to an update is an error, or whether it gets ordered."""

    def __init__(self, *answers):
        self.answers, self.sequence, self.asked = list(answers), 1, []

    def through(self, by, orderer):
        return [orderer.name]

    def peer(self, by, *arguments):
        if arguments[1] == "update":
            self.asked.append(arguments[-1])
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, NetworkError):
                raise answer
            self.sequence += answer


@pytest.fixture
def change(monkeypatch, tmp_path):
    def to(channel):
        monkeypatch.setattr(membership, "RESEND", 0.3)
        monkeypatch.setattr(membership, "PATIENCE", 2.0)
        monkeypatch.setattr(membership, "current", lambda _: SimpleNamespace(sequence=channel.sequence))
        return membership.send(Network(Layout(tmp_path), PLAN, channel), b"", [], 1)

    return to


def test_an_orderer_that_is_away_is_left_for_the_next(change):
    channel = Channel(AWAY, AWAY, True)
    change(channel)
    assert channel.asked == ["alpha", "beta", "gamma"]


def test_an_update_that_was_lost_is_sent_again(change):
    channel = Channel(False, True)
    change(channel)
    assert channel.asked == ["alpha", "beta"]  # the first may have fallen behind, and take what it never orders


def test_what_is_refused_is_not_sent_again(change):
    channel = Channel(STALE)
    with pytest.raises(NetworkError, match="BAD_REQUEST"):
        change(channel)
    assert len(channel.asked) == 1


def test_an_update_that_is_never_ordered_is_given_up(change):
    with pytest.raises(NetworkError, match=r"^network\.no-answer: .*give the same command again"):
        change(Channel(False, STALE))
