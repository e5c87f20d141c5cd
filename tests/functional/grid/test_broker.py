"""The embedded broker: what each hospital's user may do, and that a restart loses nothing. On real servers."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest
import redis

from portal.errors import PortalError
from portal.grid import broker
from portal.grid.blobs import BrokerBlobs
from training.errors import TrainingError

SITES = ["AlphaMSP", "BetaMSP"]


def client(directory: Path, user: str) -> redis.Redis:
    return redis.Redis.from_url(broker.url(directory, user))


REFUSED = "permission|can't access"  # the second is Redis 7.0's of a key that a script names
OWN = [
    lambda c: c.lpush("site.AlphaMSP", "task"),
    lambda c: c.rpop("site.AlphaMSP"),
    lambda c: c.zadd("site.AlphaMSP.unacked_index", {"a": 1}),
    lambda c: c.set("site.AlphaMSP.reply.1", "answer"),
    lambda c: c.smembers("_kombu.binding.site.AlphaMSP"),
    lambda c: c.set("blob.AlphaMSP.00", b"1"),
    lambda c: c.get("blob.BetaMSP.00"),
    lambda c: c.get("blob.hub.00"),
]
FOREIGN = [
    lambda c: c.lpush("site.BetaMSP", "task"),
    lambda c: c.rpop("site.BetaMSP"),
    lambda c: c.lrange("site.AlphaMSP2", 0, -1),
    lambda c: c.get("site.BetaMSP.reply.1"),
    lambda c: c.set("site.BetaMSP.reply.1", "forged"),
    lambda c: c.publish("anything", "{}"),
    lambda c: c.lpush("hub", "task"),
    lambda c: c.set("blob.BetaMSP.00", b"forged"),
    lambda c: c.set("blob.hub.00", b"forged"),
    lambda c: c.keys("*"),
    lambda c: list(c.scan_iter()),
    lambda c: c.randomkey(),
    lambda c: c.config_get("*"),
    lambda c: c.acl_list(),
    lambda c: c.flushall(),
    lambda c: c.monitor().__enter__(),
    lambda c: c.shutdown(),
    lambda c: c.eval("return redis.call('get', 'site.BetaMSP')", 0),
]


@pytest.mark.parametrize("act", OWN)
def test_a_hospital_may_use_what_is_its_own(directory, act):
    with client(directory, "AlphaMSP") as alpha:
        act(alpha)


@pytest.mark.parametrize("act", FOREIGN)
def test_a_hospital_is_refused_everything_else(directory, act):
    with client(directory, "AlphaMSP") as alpha, pytest.raises(redis.ResponseError, match=REFUSED):
        act(alpha)


def test_a_stranger_gets_nowhere(directory):
    port = broker.accounts(directory)["port"]
    for url in (f"redis://127.0.0.1:{port}/0", f"redis://AlphaMSP:guess@127.0.0.1:{port}/0"):
        with redis.Redis.from_url(url) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_passwords_are_for_this_user_alone_and_not_in_the_rules(directory):
    for file in ("accounts.json", "users.acl", "valkey.conf"):
        assert stat.S_IMODE((directory / file).stat().st_mode) == 0o600
    passwords = broker.accounts(directory)["passwords"].values()
    assert not any(password in (directory / "users.acl").read_text() for password in passwords)


def test_preparing_again_keeps_port_and_passwords_and_adds_sites(tmp_path):
    broker.prepare(tmp_path, SITES)
    before = broker.url(tmp_path, "AlphaMSP")
    broker.prepare(tmp_path, [*SITES, "GammaMSP"])
    assert broker.url(tmp_path, "AlphaMSP") == before
    assert broker.url(tmp_path, "GammaMSP").startswith("redis://GammaMSP:")


def test_it_may_lie_in_a_directory_of_any_name(tmp_path, served_by):
    directory = tmp_path / 'Anna\'s "new" #1 $HOME \\ demo'
    broker.prepare(directory, SITES)
    with broker.running(directory), client(directory, broker.HUB) as hub:
        assert hub.ping()


@pytest.mark.parametrize("name", ["hub", "a b", "x*", "a.b", "", "~*", "A" * 80])
def test_a_name_that_could_widen_a_rule_is_refused(tmp_path, name):
    with pytest.raises(PortalError, match=r"broker\.name"):
        broker.prepare(tmp_path, [name])


def test_it_listens_on_loopback_alone(directory):
    own = socket.gethostbyname(socket.gethostname())
    if not own.startswith("127."):
        with pytest.raises(OSError), socket.create_connection((own, broker.accounts(directory)["port"]), 1):
            pass


def test_a_killed_broker_comes_back_with_everything(served_by, tmp_path):
    broker.prepare(tmp_path, SITES)
    server = broker.start(tmp_path)
    with client(tmp_path, "hub") as hub:
        for number in range(200):
            hub.lpush("site.AlphaMSP", str(number))
    server.kill()
    server.wait()
    with broker.running(tmp_path), client(tmp_path, "hub") as hub:
        assert hub.llen("site.AlphaMSP") == 200


def test_a_second_server_on_the_port_is_refused(directory):
    with pytest.raises(PortalError, match=r"broker\.port-taken"):
        broker.start(directory)


def test_an_unprepared_directory_is_named(tmp_path):
    with pytest.raises(PortalError, match=r"broker\.not-prepared"):
        broker.url(tmp_path, "hub")


def test_a_vector_is_what_was_asked_for_whoever_wrote_it(directory):
    alpha = BrokerBlobs(broker.url(directory, "AlphaMSP"), "AlphaMSP", SITES)
    beta = BrokerBlobs(broker.url(directory, "BetaMSP"), "BetaMSP", SITES)
    name = alpha.put(b"abcd" * 3)
    assert beta.get(name) == b"abcd" * 3
    with client(directory, "AlphaMSP") as forger:
        forger.set(f"blob.AlphaMSP.{name}", b"dcba" * 3)
    with pytest.raises(TrainingError, match=r"blob\.missing"):
        beta.get(name)


def test_a_broker_that_is_away_is_said_so():
    gone = BrokerBlobs(f"redis://x:y@127.0.0.1:{broker.free_port()}/0", "AlphaMSP", SITES)
    with pytest.raises(PortalError, match=r"portal\.broker-unavailable"):
        gone.put(b"abcd")


def test_the_server_is_the_one_that_was_meant(directory, served_by):
    with client(directory, "hub") as hub:
        assert hub.info("server").get("server_name", "redis") == served_by
