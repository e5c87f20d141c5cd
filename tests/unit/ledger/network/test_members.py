"""Members with a directory each: what they tell each other is checked, and holds no key; starting is tried for real."""

from __future__ import annotations

import shutil
from hashlib import sha256

import pytest
from msgspec.structs import replace

from consent import canonical
from ledger.network import members, network
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.members import Consortium, Entry
from ledger.network.network import Network
from ledger.network.plan import PROFILES, Member, draw
from ledger.protocol import genesis
from tests.support import ports

NAMES = ["alpha", "beta", "gamma", "delta", "hub"]


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """Each member's directory, by name, with its keys made."""
    folder, port = tmp_path_factory.mktemp("members"), ports.free_ports(len(NAMES))
    for place, name in enumerate(NAMES):
        kind = "institute" if name == "hub" else "hospital"
        members.prepare(folder / name, Member.named(name), kind, "127.0.0.1", port + 12 * place)
    return folder


def file_of(folder, name):
    return Layout(folder / name).member(name)


def entry_of(folder, name):
    return canonical.decode_as(file_of(folder, name).read_bytes(), Entry)


@pytest.fixture
def consortium(sent):
    return members.found([file_of(sent, name) for name in NAMES], PROFILES["latency"])


def written(folder, value):
    file = folder / "given.json"
    file.write_bytes(canonical.encode(value))
    return file


def copied(sent, name, folder):
    """The member's directory as it is before it has accepted anything."""
    shutil.copytree(sent / name, folder)
    return folder


def test_in_whatever_order_the_files_come_all_make_the_same_first_block(sent, tmp_path, consortium):
    again = members.found([file_of(sent, name) for name in reversed(NAMES)], PROFILES["latency"])
    assert replace(again, seconds=consortium.seconds, nonce=consortium.nonce) == consortium
    file, digest = written(tmp_path, consortium), sha256(consortium.genesis).hexdigest()
    for name in NAMES:
        plan = members.accept(copied(sent, name, tmp_path / name), file, digest)
        layout = Layout(tmp_path / name)
        assert layout.read() == plan and plan.here == name
        assert [each.name for each in plan.ours] == ([] if name == "hub" else [name])
        assert layout.genesis.read_bytes() == consortium.genesis
        for key in [*layout.directory.rglob("*.key"), *layout.directory.rglob("key.pem")]:
            assert key.is_relative_to(layout.organisations / name)
        with pytest.raises(NetworkError, match=r"^network\.other-plan: "):
            members.accept(tmp_path / name, file, digest)
    said = genesis.read(consortium.genesis)
    assert said.hospitals == ("AlphaMSP", "BetaMSP", "DeltaMSP", "GammaMSP") and said.institutes == ("HubMSP",)


def test_what_is_sent_holds_no_key(sent):
    for name in NAMES:
        assert b"PRIVATE" not in file_of(sent, name).read_bytes()


def test_a_founder_who_changes_another_members_certificate_makes_another_block(sent, tmp_path, consortium):
    forged = replace(
        entry_of(sent, "beta"),
        **{field: getattr(entry_of(sent, "gamma"), field) for field in ("ca", "tls_ca", "orderer", "orderer_tls")},
    )
    cheating = replace(
        consortium, members=tuple(forged if each.name == "beta" else each for each in consortium.members)
    )
    file, digest = written(tmp_path, cheating), sha256(consortium.genesis).hexdigest()
    with pytest.raises(NetworkError, match=rf"^network\.other-genesis: .*, not {digest}"):
        members.accept(copied(sent, "alpha", tmp_path / "alpha"), file, digest)
    with pytest.raises(
        NetworkError, match=r"^network\.other-member: .* does not say of beta what .*beta\.member\.json"
    ):
        members.accept(copied(sent, "beta", tmp_path / "beta"), file, sha256(cheating.genesis).hexdigest())
    for name in ("alpha", "beta"):
        assert not Layout(tmp_path / name).plan.exists()
        assert [each.name for each in Layout(tmp_path / name).organisations.iterdir()] == [name]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "../alpha"}, "network.name"),
        ({"msp": "a b"}, "network.name"),
        ({"port": 80}, "network.port"),
        ({"host": "a b"}, "network.address"),
        ({"orderer": "hub"}, "network.foreign-certificate"),
        ({"ca": "nothing"}, "network.foreign-certificate"),
        ({"orderer": ""}, "network.foreign-certificate"),
        ({"kind": "institute"}, "network.foreign-certificate"),
    ],
)
def test_a_member_that_says_what_cannot_be(sent, tmp_path, consortium, change, code):
    odd = replace(entry_of(sent, "alpha"), **change)
    with pytest.raises(NetworkError, match=f"^{code}: "):
        members.found([written(tmp_path, odd)], 50)
    all_ = replace(consortium, members=(odd, *consortium.members[1:]))
    with pytest.raises(NetworkError, match=f"^{code}: "):
        members.accept(sent / "beta", written(tmp_path, all_), "00" * 32)


def test_members_that_stand_in_each_others_way(sent, tmp_path):
    alpha = entry_of(sent, "alpha")
    for change, code in (
        ({}, "organisations"),
        ({"name": "other"}, "organisations"),
        ({"name": "other", "msp": "OtherMSP", "port": alpha.port + 11}, "port"),
    ):
        with pytest.raises(NetworkError, match=rf"^network\.{code}: "):
            members.found([file_of(sent, "alpha"), written(tmp_path, replace(alpha, **change))], 50)
    with pytest.raises(NetworkError, match=r"^network\.organisations: "):
        members.found([file_of(sent, "hub")], 50)
    elsewhere = replace(alpha, name="other", msp="OtherMSP", host="other.example")
    assert isinstance(members.found([file_of(sent, "alpha"), written(tmp_path, elsewhere)], 50), Consortium)


def test_a_directory_holds_one_member(sent, tmp_path):
    with pytest.raises(NetworkError, match=r"^network\.member-exists: .*alpha\.member\.json is what the others need"):
        members.prepare(sent / "alpha", Member.named("other"), "hospital", "127.0.0.1", 7050)
    with pytest.raises(NetworkError, match=r"^network\.not-prepared: .*covenant network prepare"):
        members.accept(tmp_path, written(tmp_path, members.found([file_of(sent, "alpha")], 50)), "00" * 32)
    with pytest.raises(NetworkError, match=r"^network\.address: "):
        members.prepare(tmp_path / "new", Member.named("other"), "hospital", "a host", 7050)
    with pytest.raises(NetworkError, match=r"^network\.malformed: .* cannot be read \(No such file"):
        members.found([tmp_path / "none.json"], 50)
    (tmp_path / "given.json").write_text("{}")
    with pytest.raises(NetworkError, match=r"^network\.malformed: .* is not what covenant made"):
        members.found([tmp_path / "given.json"], 50)


def test_no_network_is_founded_over_a_members_keys(sent, monkeypatch):
    monkeypatch.setattr(network.binaries, "find", lambda: None)
    with pytest.raises(NetworkError, match=r"^network\.prepared: .*covenant network accept"):
        network.up(sent / "alpha", draw(["alpha"], ["hub"], host="127.0.0.1", port=ports.free_ports(2)), {})
    assert file_of(sent, "alpha").exists()


def test_what_takes_all_members_keys_or_anothers_is_refused(sent, tmp_path, consortium):
    digest = sha256(consortium.genesis).hexdigest()
    plan = members.accept(copied(sent, "alpha", tmp_path / "alpha"), written(tmp_path, consortium), digest)
    standing = Network(Layout(tmp_path / "alpha"), plan, None)
    with pytest.raises(NetworkError, match=r"^network\.elsewhere: .*give this command in that of beta"):
        standing.node("beta")
    with pytest.raises(NetworkError, match=r"^network\.elsewhere: .* alone: do it otherwise"):
        standing.whole("do it otherwise")
    hub = Network(standing.layout, replace(plan, here="hub"), None)
    with pytest.raises(NetworkError, match=r"^network\.no-node: hub runs nothing"):
        members.up(hub)
