"""Changes that members with a directory each agree on: nobody signs what it did not make itself; Fabric is played."""

from __future__ import annotations

import shutil
from hashlib import sha256
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from consent import canonical
from ledger.identity.ca import Authority
from ledger.network import changes, material, members, membership, renewal
from ledger.network.change_file import Change, holds_change
from ledger.network.entries import Entry, group
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.network import Network
from ledger.network.plan import PROFILES, Member
from ledger.protocol.exact import serialise
from tests.support import ports

HOSPITALS = ["alpha", "beta", "gamma", "delta"]
REFUSED = NetworkError("network.refused", "peer: got unexpected status: BAD_REQUEST")


class Channel:
    """A channel's configuration, and what is sent to it."""

    def __init__(self, told, plan):
        self.sequence, self.group, self.signatures, self._wanted = 0, group(told, plan), None, {}

    def current(self, block):
        return SimpleNamespace(sequence=self.sequence, channel_group=self.group)

    def difference(self, network, config, wanted):
        if config.channel_group == wanted:
            return None
        update = sha256(bytes([config.sequence]) + serialise(wanted)).digest()
        self._wanted[update] = wanted
        return update

    def send(self, network, update, signatures, sequence):
        if sequence != self.sequence:
            raise REFUSED
        self.group, self.sequence, self.signatures = self._wanted[update], sequence + 1, signatures


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """Each member's directory by name, all members of one consortium, and a newcomer's with nothing but its keys."""
    folder, port = tmp_path_factory.mktemp("founded"), ports.free_ports(6)
    for place, name in enumerate([*HOSPITALS, "hub", "emil"]):
        kind = "institute" if name == "hub" else "hospital"
        members.prepare(folder / name, Member.named(name), kind, "127.0.0.1", port + 12 * place)
    made = members.found([file_of(folder, name) for name in [*HOSPITALS, "hub"]], PROFILES["latency"])
    (folder / "consortium.json").write_bytes(canonical.encode(made))
    for name in [*HOSPITALS, "hub"]:
        members.accept(folder / name, folder / "consortium.json", sha256(made.genesis).hexdigest())
    return folder


@pytest.fixture
def folder(founded, tmp_path):
    return shutil.copytree(founded, tmp_path / "all")


@pytest.fixture
def channel(folder, monkeypatch):
    made = canonical.decode_as((folder / "consortium.json").read_bytes(), members.Consortium)
    channel = Channel(made.members, made.plan)
    monkeypatch.setattr(changes, "fetch", lambda *_: folder / "alpha" / "genesis.block")
    monkeypatch.setattr(renewal, "_start_again", lambda network, node: None)
    for name in ("current", "difference", "send"):
        monkeypatch.setattr(changes, name, getattr(channel, name))
    return channel


def file_of(folder, name):
    return Layout(folder / name).member(name)


def at(folder, name):
    layout = Layout(folder / name)
    return Network(layout, layout.read(), None)


def written(folder, change):
    file = folder / "given.change.json"
    file.write_bytes(canonical.encode(change))
    return file


def signed(folder, change, *names):
    """The change with the signatures of `names` too, in its file."""
    file = written(folder, change)
    for name in names:
        network = at(folder, name)
        file.write_bytes(canonical.encode(changes.add(network, changes.look(network, file))))
    return file


def joining(folder, by="alpha"):
    return changes.join(at(folder, by), "emil", file_of(folder, "emil"))


def test_a_fifth_joins_when_a_majority_has_signed(folder, channel):
    file = signed(folder, joining(folder), "gamma")
    looked = changes.look(at(folder, "delta"), file)
    assert (looked.signers, looked.needed) == (["alpha", "gamma"], 3)
    assert looked.change.words[0].startswith("emil (EmilMSP) joins the channel covenant, at 127.0.0.1, ports ")
    assert looked.change.words[-1].startswith("Then 3 of 5 hospitals decide; Byzantine fault tolerant, 1 of 5 may")
    with pytest.raises(NetworkError, match=r"^network\.too-few-signatures: 2 have signed .*, and it takes 3: another"):
        changes.apply(at(folder, "gamma"), file)
    with pytest.raises(NetworkError, match=r"^network\.not-joined: "):
        genesis = at(folder, "alpha").layout.genesis.read_bytes()
        changes.accept(folder / "emil", file, sha256(genesis).hexdigest(), None)
    signed(folder, changes.add(at(folder, "delta"), looked))

    for name in ("beta", "alpha", "gamma", "delta", "hub", "alpha"):  # beta sends it; twice does nothing
        plan = changes.apply(at(folder, name), file)
        assert plan == at(folder, name).plan and plan.here == name
        assert [each.name for each in plan.hospitals] == ["alpha", "beta", "delta", "gamma", "emil"]
    assert len(channel.signatures) == 3 and channel.sequence == 1
    beta = at(folder, "beta")
    assert group(changes.entries(beta.layout, beta.plan), plan) == channel.group

    with pytest.raises(NetworkError, match=r"^network\.other-genesis: "):
        changes.accept(folder / "emil", file, "00" * 32, None)
    assert [each.name for each in Layout(folder / "emil").organisations.iterdir()] == ["emil"]


def test_the_newcomer_takes_the_file_that_the_channel_says(folder, channel):
    file, genesis = signed(folder, joining(folder), "beta", "gamma"), at(folder, "alpha").layout.genesis
    changes.apply(at(folder, "alpha"), file)
    digest = sha256(genesis.read_bytes()).hexdigest()
    with pytest.raises(NetworkError, match=r"^network\.not-prepared: "):
        changes.accept(folder / "nobody", file, digest, None)
    with pytest.raises(NetworkError, match=r"^network\.other-plan: "):
        changes.accept(folder / "beta", file, digest, None)
    members.prepare(folder / "other", Member.named("emil"), "hospital", "127.0.0.1", ports.free_ports(1))
    with pytest.raises(NetworkError, match=r"^network\.other-member: .* does not say of emil what "):
        changes.accept(folder / "other", file, digest, None)
    assert holds_change(file) and not holds_change(folder / "consortium.json")
    plan = changes.accept(folder / "emil", file, digest, None)
    assert plan.here == "emil" and plan.find("emil").joined and plan.find("emil").consenter == 5
    assert at(folder, "emil").plan == plan and at(folder, "emil").layout.genesis.read_bytes() == genesis.read_bytes()
    signed(folder, changes.leave(at(folder, "emil"), "beta"), "alpha")  # it counts as the others do


def test_one_renews_and_the_old_keys_serve_until_then(folder, channel):
    network = at(folder, "beta")
    layout, beta = network.layout, network.plan.find("beta")
    before = material.hospital(layout, beta)
    change = changes.renew(network, "beta")
    assert changes.renew(network, "beta").entries == change.entries  # the same keys, told once more
    file = signed(folder, change, "alpha", "gamma")
    changes.apply(at(folder, "alpha"), file)
    assert material.hospital(layout, beta) == before and layout.renewal(beta).exists()
    changes.apply(network, file)
    after = material.hospital(layout, beta)
    assert after.orderer_pem != before.orderer_pem and after.orderer_tls != before.orderer_tls
    assert material.hospital(at(folder, "alpha").layout, beta) == after and not layout.renewal(beta).exists()
    material.check(layout, beta)
    changes.apply(at(folder, "gamma"), file)
    assert at(folder, "gamma").plan == replace(at(folder, "beta").plan, here="gamma")


def test_an_institute_renews_alone_and_signs_nothing(folder, channel):
    hub = at(folder, "hub")
    before = material.certificates(hub.layout, hub.plan.find("hub"))[0].read_bytes()
    renewal.renew(hub, "hub")
    assert material.certificates(hub.layout, hub.plan.find("hub"))[0].read_bytes() != before
    with pytest.raises(NetworkError, match=r"^network\.elsewhere: .*in that of alpha"):
        renewal.renew(hub, "alpha")
    file = written(folder, joining(folder))
    with pytest.raises(NetworkError, match=r"^network\.no-node: hub runs nothing"):
        changes.add(hub, changes.look(hub, file))


def test_one_leaves(folder, channel):
    four = joining(folder)
    with pytest.raises(NetworkError, match=r"^network\.too-few: .*let another one join first"):
        changes.leave(at(folder, "alpha"), "gamma")
    file = signed(folder, four, "beta", "gamma")
    for name in [*HOSPITALS, "hub"]:
        changes.apply(at(folder, name), file)
    file = signed(folder, changes.leave(at(folder, "alpha"), "gamma"), "beta", "delta")
    assert changes.look(at(folder, "beta"), file).change.words[0] == "gamma leaves the channel covenant."
    changes.apply(at(folder, "alpha"), file)

    with pytest.raises(NetworkError, match=r"^network\.leaving: by .* gamma leaves, .*covenant network down ends what"):
        changes.apply(at(folder, "gamma"), file)
    changes.apply(at(folder, "delta"), file)
    assert [each.name for each in at(folder, "delta").plan.left] == ["gamma"]


def test_who_was_away_takes_note_of_the_newest_alone(folder, channel):
    for change in (joining(folder), None):
        file = signed(folder, change or changes.leave(at(folder, "alpha"), "gamma"), "beta", "gamma")
        for name in ("alpha", "beta", "gamma") if change else ("alpha", "beta"):
            changes.apply(at(folder, name), file)
    with pytest.raises(
        NetworkError, match=r"^network\.behind: .*number 2, is not what .*delta knows: covenant network"
    ):
        changes.leave(at(folder, "delta"), "beta")
    changes.apply(at(folder, "delta"), file)
    assert at(folder, "delta").plan == replace(at(folder, "alpha").plan, here="delta")


def test_signing_twice(folder, channel):
    file = signed(folder, joining(folder), "beta")
    for name in ("alpha", "beta"):
        with pytest.raises(NetworkError, match=rf"^network\.already-signed: {name} has signed this change: hand it to"):
            signed(folder, canonical.decode_as(file.read_bytes(), Change), name)
    change = canonical.decode_as(file.read_bytes(), Change)
    doubled = replace(change, signatures=(*change.signatures, change.signatures[0]))
    with pytest.raises(NetworkError, match=r"^network\.altered: "):
        changes.look(at(folder, "gamma"), written(folder, doubled))


def test_an_older_configuration_and_another_channel(folder, channel):
    first, second = joining(folder), changes.renew(at(folder, "beta"), "beta")
    changes.apply(at(folder, "alpha"), signed(folder, first, "beta", "gamma"))
    changes.apply(at(folder, "gamma"), written(folder, replace(first, signatures=())))  # stands: needs none
    with pytest.raises(NetworkError, match=r"^network\.other-configuration: .* changes configuration 0, and the .*1: "):
        changes.look(at(folder, "gamma"), written(folder, second))
    with pytest.raises(NetworkError, match=r"^network\.other-channel: .* the channel elsewhere, not covenant"):
        changes.look(
            at(folder, "gamma"), written(folder, replace(first, plan=replace(first.plan, channel="elsewhere")))
        )
    with pytest.raises(NetworkError, match=r"^network\.nothing-to-change: "):
        changes._update(at(folder, "gamma"), channel.current(None), first)


def cheats(folder, change):
    """What whoever hands the file on could write into it."""
    emil, entry = change.plan.find("emil"), change.entry
    port = replace(emil, port=emil.port + 100)
    others = tuple(each for each in change.plan.organisations if each != emil)
    beta = next(each for each in change.entries if each.name == "beta")
    yield replace(change, plan=replace(change.plan, ordering="etcdraft"))
    yield replace(change, plan=replace(change.plan, organisations=(*others, port)))
    yield replace(
        change,
        plan=replace(change.plan, organisations=(*others, port)),
        entries=(*change.entries[:-1], replace(entry, port=port.port)),
    )
    yield replace(
        change, entries=tuple(replace(each, host="other") if each is beta else each for each in change.entries)
    )
    gone = replace(emil, name="../emil")
    yield replace(change, plan=replace(change.plan, organisations=(*others, gone)))
    yield replace(change, plan=replace(change.plan, left=(gone,)))
    yield replace(change, kind="leave")
    yield replace(change, kind="renew", name="beta")
    yield replace(change, name="beta")
    yield replace(change, signatures=(replace(change.signatures[0], signature="00"), *change.signatures[1:]))
    yield replace(change, signatures=(replace(change.signatures[0], header="zz"), *change.signatures[1:]))


def test_an_altered_file_is_signed_and_sent_by_nobody(folder, channel):
    change = joining(folder)
    file = signed(folder, change, "beta", "gamma")
    tried = 0
    for cheat in cheats(folder, canonical.decode_as(file.read_bytes(), Change)):
        for act in (changes.look, changes.apply):
            with pytest.raises(NetworkError, match=r"^network\.(altered|member-exists|name): "):
                act(at(folder, "delta"), written(folder, cheat))
        tried += 1
    assert tried == 11 and channel.sequence == 0


def test_a_stewards_signature_is_no_administrators(folder, channel):
    network, change = at(folder, "alpha"), joining(folder)
    update = changes._update(network, channel.current(None), change)
    delta = Layout(folder / "delta")
    steward = Authority.load(delta.folder(change.plan.find("delta")) / "ca").issue("delta", ["steward"])
    made = membership.sign(steward, update)
    signature = changes.Signature(header=made.signature_header.hex(), signature=made.signature.hex())
    with pytest.raises(NetworkError, match=r"^network\.altered: "):
        changes.look(network, written(folder, replace(change, signatures=(*change.signatures, signature))))


@pytest.mark.parametrize(("name", "code"), [("fritz", "other-member"), ("emil", "malformed")])
def test_a_file_of_another_or_of_nobody(folder, channel, name, code):
    file = file_of(folder, "emil")
    if code == "malformed":
        file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(NetworkError, match=rf"^network\.{code}: "):
        changes.join(at(folder, "alpha"), name, file)


def test_who_cannot_join(folder, channel):
    alpha = at(folder, "alpha")
    with pytest.raises(NetworkError, match=r"^network\.member-exists: beta "):
        told = canonical.decode_as(file_of(folder, "beta").read_bytes(), Entry)
        changes.join(alpha, "beta", written(folder, replace(told, host="other")))
    told = canonical.decode_as(file_of(folder, "emil").read_bytes(), Entry)
    with pytest.raises(NetworkError, match=r"^network\.port: delta and emil are both at |^network\.port: "):
        changes.join(alpha, "emil", written(folder, replace(told, port=alpha.plan.find("delta").port + 1)))
    with pytest.raises(
        NetworkError, match=r"^network\.other-member: .* is of the institute hub, not of a hospital hub"
    ):
        changes.join(alpha, "hub", file_of(folder, "hub"))
    with pytest.raises(NetworkError, match=r"^network\.no-node: hub runs nothing"):
        changes.leave(alpha, "hub")
    with pytest.raises(NetworkError, match=r"^network\.unknown-organisation: fritz is not"):
        changes.leave(alpha, "fritz")
    with pytest.raises(NetworkError, match=r"^network\.elsewhere: .*in that of beta"):
        changes.renew(alpha, "beta")


def test_where_all_keys_are_here_there_is_nothing_to_sign(folder, channel):
    alpha = at(folder, "alpha")
    whole = Network(alpha.layout, replace(alpha.plan, here=""), None)
    with pytest.raises(NetworkError, match=r"^network\.all-here: "):
        changes.look(whole, written(folder, joining(folder)))
    with pytest.raises(NetworkError, match=r"^network\.all-here: "):
        changes.join(whole, "emil", file_of(folder, "emil"))


def test_another_member_may_be_quicker(folder, channel, monkeypatch):
    file = signed(folder, joining(folder), "beta", "gamma")

    def late(network, update, signatures, sequence):
        channel.send(network, update, signatures, sequence)
        raise REFUSED

    monkeypatch.setattr(changes, "send", late)
    assert changes.apply(at(folder, "alpha"), file) == at(folder, "alpha").plan
    monkeypatch.setattr(changes, "send", channel.send)


def test_a_refused_change_is_noted_by_nobody(folder, channel, monkeypatch):
    file, before = signed(folder, joining(folder), "beta", "gamma"), at(folder, "alpha").plan

    def refuse(*_):
        raise REFUSED

    monkeypatch.setattr(changes, "send", refuse)
    with pytest.raises(NetworkError, match=r"^network\.refused: "):
        changes.apply(at(folder, "alpha"), file)
    assert at(folder, "alpha").plan == before
