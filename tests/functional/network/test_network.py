"""A real Fabric network of four hospitals: founded, deployed on, joined, upgraded, renewed; no hospital alone decides.

The tests share one network, in this order: later ones find what earlier ones left.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256

import psutil
import pytest
from fabric_protos.common import common_pb2

from ledger.errors import LedgerError
from ledger.gateway import connect
from ledger.identity.ca import Authority
from ledger.network import answers, doctor, lifecycle, material, membership
from ledger.network import network as networks
from ledger.network.errors import NetworkError
from ledger.network.network import Network
from ledger.network.package import INSTALLED, Package
from ledger.network.plan import Member, draw
from ledger.network.renewal import renew
from tests.support import fabric, ports
from tests.support.chaincode_events import FIRST, follow

HOSPITALS = ["alpha", "beta", "gamma", "delta"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    fabric.require()
    made = tmp_path_factory.mktemp("network")
    plan = draw(HOSPITALS, ["institute"], host="127.0.0.1", port=ports.free_ports(6))
    try:
        network = networks.up(made, plan, {})
        lifecycle.deploy(network, Package.of())
        yield made
    finally:
        networks.delete(made)
        assert not [each for each in psutil.process_iter() if str(made) in " ".join(command(each))]


@pytest.fixture
def network(directory):
    return Network.at(directory)


def command(process):
    try:
        return process.cmdline() + list(process.environ().values())
    except psutil.Error:
        return []


def gateway(network, name, role="steward", through=None, **options):
    """A gateway as a new client of organisation `name`, through the peer of `through` (its own)."""
    organisation = network.plan.find(name)
    peer = network.plan.find(through or name)
    identity = Authority.load(network.layout.folder(organisation) / "ca").issue(f"{role}.{name}", [role])
    tls = network.layout.client_tls(organisation)
    shown = ((tls / "server.pem").read_bytes(), (tls / "server.key").read_bytes())
    ca = network.layout.tls_ca(peer).read_bytes()
    return connect(str(peer.peer), ca, identity, tls_client=shown, **options)


def founding(network):
    roles = {"hospital": ["peer", "registrar", "site", "steward"], "institute": ["researcher", "runner", "auditor"]}
    return {
        "organisations": [
            {
                "msp": each.msp,
                "name": each.name,
                "kind": each.kind,
                "roles": roles[each.kind],
                "origins": [f"http://{each.name}.localhost"],
            }
            for each in network.plan.organisations
            if not each.joined
        ]
    }


def heights(network):
    return {row.name: row.blocks for row in networks.status(network) if row.name.endswith(".peer")}


def write(network, name, **options):
    """Publish a new consent version as a steward of `name`, through its own peer."""
    text = f"text-{secrets.token_hex(6)}"
    content = {"text": text, "digests": {"en": "ab" * 32}, "presets": ["heart-disease"]}
    with gateway(network, name, **options) as door:
        return door.contract.submit("consents:PublishText", content)


def writes(network, name, **options):
    try:
        return write(network, name, **options)
    except LedgerError:
        return None


def eventually(true, seconds=120):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def level(network):
    """Whether every hospital's peer has as many blocks."""
    return len(set(heights(network).values())) == 1


def test_one_hospitals_peer_alone_can_write_nothing(network):
    """Nor two of four: Fabric marks the transaction in the block, for every reader to see."""
    for few in (["AlphaMSP"], ["AlphaMSP", "BetaMSP"]):
        with gateway(network, "alpha", endorsing_organisations=few) as door, pytest.raises(LedgerError) as caught:
            door.contract.submit("members:Found", founding(network))
        assert "ENDORSEMENT_POLICY_FAILURE" in str(caught.value) + str(caught.value.context)


def test_three_of_four_can_and_every_hospital_has_the_block(network):
    three = ["AlphaMSP", "BetaMSP", "GammaMSP"]
    with gateway(network, "alpha", endorsing_organisations=three) as door:
        door.contract.submit("members:Found", founding(network))
    eventually(lambda: writes(network, "delta"))
    eventually(lambda: level(network))


def test_a_client_that_reads_no_blocks_is_told_events_by_name(network):
    with gateway(network, "delta") as door:
        stream = follow(door._connection.gateway, door._connection.signer, FIRST)
        (event,) = next(stream).events
        stream.cancel()
    assert (event.chaincode_id, event.event_name, event.payload) == ("covenant", "members.founded", b"")


def test_nothing_is_wrong_with_it(network):
    findings = doctor.examine(network)
    assert {each.state for each in findings} == {"ok"}
    steward = Authority.load(network.layout.folder(network.plan.find("beta")) / "ca").issue("doctor", ["steward"])
    said = answers.ask(network, steward, network.plan.hospitals)
    assert list(said) == HOSPITALS and len(set(said.values())) == 1
    assert b"consents/text/doctor-" in said["alpha"], "they only refused"


def test_a_stranger_does_not_connect(network):
    alpha = network.plan.find("alpha")
    identity = Authority.load(network.layout.folder(alpha) / "ca").issue("x", ["steward"])
    ca = network.layout.tls_ca(alpha).read_bytes()
    with connect(str(alpha.peer), ca, identity) as door, pytest.raises(LedgerError, match="UNAVAILABLE"):
        door.contract.evaluate("members:List", {}, timeout=30)


def test_the_keys_hold_nothing_open(network):
    kinds = [[*network.layout.directory.rglob(kind)] for kind in ("*.key", "key.pem", "connections/*.json")]
    assert all(kinds)
    assert [path for found in kinds for path in found if path.stat().st_mode & 0o077] == []


def test_the_others_go_on_without_one(network):
    network.stop([network.node("delta")])
    try:
        assert write(network, "alpha")
        found = {each.name: each for each in doctor.examine(network) if each.state == "broken"}
        assert found["delta.peer"].mend == "covenant network start delta"
    finally:
        network.start([network.node("delta")])
    eventually(lambda: level(network))


def test_a_second_deploy_changes_nothing(network):
    before = heights(network)["alpha.peer"]
    assert lifecycle.deploy(network, Package.of()).plan == network.plan
    assert heights(network)["alpha.peer"] == before


def test_a_package_that_the_peer_does_not_know(network):
    package = Package("0.1.0", "ab" * 32, INSTALLED)
    contracts = network.plan.contracts[0]
    deployment = lifecycle.Deployment(network, package, contracts)
    with pytest.raises(NetworkError, match=r"^network\.unknown-package: the peer of alpha does not know covenant_"):
        deployment.approve(network.plan.find("alpha"))


def test_a_channel_that_exists(network):
    alpha = network.plan.find("alpha")
    for again in (
        lambda: networks.join_peer(network.programs, alpha),
        lambda: networks.join_orderer(network.programs, network.plan.channel, alpha, network.layout.genesis),
    ):
        with pytest.raises(NetworkError, match=r"^network\.channel-exists: .*covenant network status"):
            again()


def test_a_network_of_others_is_not_started(network):
    other = draw(["x", "y"], [], host="127.0.0.1", port=20_000)
    with pytest.raises(NetworkError, match=r"^network\.other-plan: .*alpha, beta"):
        networks.up(network.layout.directory, other, {})


def test_a_fifth_hospital_joins_and_counts(network):
    network = membership.join(network, Member.named("epsilon"))
    eventually(lambda: writes(network, "alpha", through="epsilon"))
    eventually(lambda: level(network))
    config = membership.current(membership.fetch(network))
    wanted = networks.channel_group(network.layout, network.plan)
    for group in ("Application", "Orderer"):
        assert set(config.channel_group.groups[group].groups) >= {each.msp for each in network.plan.hospitals}
        for name, policy in wanted.groups[group].policies.items():
            assert config.channel_group.groups[group].policies[name].policy == policy.policy
    assert write(network, "alpha", endorsing_organisations=["AlphaMSP", "BetaMSP", "EpsilonMSP"])
    assert not writes(network, "alpha", endorsing_organisations=["AlphaMSP", "EpsilonMSP"])
    with pytest.raises(NetworkError, match=r"^network\.member-exists: "):
        membership.join(network, Member.named("epsilon"))


@contextmanager
def traffic(network, names, pause=0.05):
    """Texts published meanwhile, each hospital's by a thread of its own; every one of them must go through."""
    done, over = [], threading.Event()

    def publish(name):
        with gateway(network, name) as door:
            while not over.wait(pause):
                text = f"text-{secrets.token_hex(6)}"
                content = {"text": text, "digests": {"en": "ab" * 32}, "presets": ["heart-disease"]}
                door.contract.submit("consents:PublishText", content)
                done.append(text)

    with ThreadPoolExecutor(len(names)) as pool:
        writers = [pool.submit(publish, name) for name in names]
        try:
            yield done
        finally:
            over.set()
        for each in writers:
            each.result()


def another_version(folder):
    for name in ("ledger", "consent"):
        shutil.copytree(INSTALLED / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "ledger" / "contracts" / "consents.py").open("a") as file:
        file.write("# the next version\n")
    return Package.of(folder)


def test_an_upgrade_hospital_by_hospital_while_transactions_are_in_flight(network, tmp_path):
    """Old and new stand side by side while hospitals approve; state stays, and no confirmed transaction is lost."""
    package, old = another_version(tmp_path), network.plan.contracts[0]
    first, *others = network.plan.hospitals
    with pytest.raises(NetworkError, match=r"^network\.nothing-coming: "):
        lifecycle.commit(network)
    with traffic(network, ["alpha", "beta"]) as written:
        network = lifecycle.approve(network, first.name, package)
        assert [each.committed for each in network.plan.contracts] == [True, False]
        assert all(network.node(first.name).host(each).pid for each in network.plan.contracts)
        with pytest.raises(NetworkError, match=r"^network\.no-majority: 1 of \d hospitals have approved"):
            lifecycle.commit(network)
        with pytest.raises(NetworkError, match=r"^network\.other-version: "):
            lifecycle.approve(network, others[0].name, Package("0.1.0", "ab" * 32, INSTALLED))
        enough = others[: len(network.plan.hospitals) // 2]
        for each in enough:
            network = lifecycle.approve(network, each.name, package)
        before = len(written)
        eventually(lambda: len(written) > before)
        network = lifecycle.commit(network)
        assert [each.sequence for each in network.plan.contracts] == [old.sequence + 1]
        assert not any(node.host(old).pid for node in network.nodes)
        late = [each for each in others if each not in enough]
        broken = {each.name: each.mend for each in doctor.examine(network) if each.state == "broken"}
        assert broken == {f"{each.name}.contracts": f"covenant network approve {each.name}" for each in late}
        for each in late:
            network = lifecycle.approve(network, each.name, package)
        after = len(written)
        eventually(lambda: len(written) > after)
    eventually(lambda: level(network))
    with gateway(network, "alpha") as door:
        members = door.contract.evaluate("members:List", {})
        assert {each["msp"] for each in members} >= {"AlphaMSP", "DeltaMSP", "InstituteMSP"}
        assert all(door.contract.evaluate("consents:Text", {"text": each}) for each in written)
    assert {each.state for each in doctor.examine(network)} == {"ok"}
    assert len(lifecycle.deploy(network, Package.of()).plan.contracts) == 1


def test_a_hospital_that_leaves_counts_no_more(network):
    went = network.node("epsilon")
    network = membership.leave(network, "epsilon")
    assert [each.name for each in network.plan.hospitals] == HOSPITALS
    assert not any(process.pid for process in went.processes)
    eventually(lambda: writes(network, "alpha", endorsing_organisations=["AlphaMSP", "BetaMSP", "GammaMSP"]))
    config = membership.current(membership.fetch(network))
    for group in ("Application", "Orderer"):
        assert "EpsilonMSP" not in config.channel_group.groups[group].groups
    assert {each.state for each in doctor.examine(network)} == {"ok"}
    assert membership.leave(network, "epsilon").plan == network.plan  # the same again
    with pytest.raises(NetworkError, match=r"^network\.too-few: .*fewer than these 4"):
        membership.leave(network, "alpha")
    with pytest.raises(NetworkError, match=r"^network\.member-exists: .*or was"):
        membership.join(network, Member.named("epsilon"))


def test_a_host_of_other_code_does_not_start(network):
    node = network.node("alpha")
    contracts = network.plan.contracts[-1]
    config = network.layout.folder(node.organisation) / "host" / f"host-{contracts.slot}.json"
    kept = config.read_bytes()
    network.stop([node], "host")
    try:
        config.write_text(json.dumps({**json.loads(kept), "digest": "ab" * 32}))
        with pytest.raises(NetworkError, match=r"^network\.process-ended: .*host\.wrong-source"):
            network.start([node], "host")
    finally:
        config.write_bytes(kept)
        network.start([node], "host")


AHEAD = (
    "import runpy, time; true = time.time; time.time = lambda: true() + 600; "
    "runpy.run_module('ledger.chaincode', run_name='__main__', alter_sys=True)"
)


def test_the_doctor_names_a_host_whose_clock_is_off(network):
    node = network.node("alpha")
    (contracts,) = node.contracts
    network.stop([node], "host")
    try:
        settings = str(node.host_settings(contracts))
        node.host(contracts).start([sys.executable, "-c", AHEAD, "serve", "--config", settings], {}, INSTALLED)
        node.await_ready(node.host(contracts))
        (found,) = [each for each in doctor.examine(network) if each.state != "ok"]
        assert found.name == node.host(contracts).name
        assert re.fullmatch(r"its clock is (59\d|600) s ahead of ours", found.detail)
    finally:
        network.stop([node], "host")
        network.start([node], "host")


def test_renewed_keys_serve(network):
    node = network.node("beta")
    before = material.certificates(network.layout, node.organisation)[0].read_bytes()
    renew(network, "beta")
    assert material.certificates(network.layout, node.organisation)[0].read_bytes() != before
    eventually(lambda: writes(network, "beta", endorsing_organisations=["BetaMSP", "AlphaMSP", "GammaMSP"]))
    assert {each.state for each in doctor.examine(network)} == {"ok"}


def test_an_institutes_renewed_keys_serve_too(network):
    renew(network, "institute")
    with gateway(network, "institute", "auditor", through="alpha") as door:
        assert door.contract.evaluate("members:List", {})


def test_a_hospital_restored_from_its_backup_catches_up(network, tmp_path):
    """As docs/operate/fabric.md says: the folder is copied while the hospital stands still, and put back later."""
    node = network.node("gamma")
    folder = network.layout.folder(node.organisation)
    network.stop([node])
    shutil.copytree(folder, tmp_path / "backup")
    network.start([node])
    eventually(lambda: level(network))
    behind = heights(network)["alpha.peer"]
    for _ in range(3):
        write(network, "alpha")
    network.stop([node])
    shutil.rmtree(folder)
    write(network, "alpha")
    shutil.copytree(tmp_path / "backup", folder)
    network.start([node])
    eventually(lambda: level(network))
    assert heights(network)["gamma.peer"] > behind
    eventually(lambda: writes(network, "gamma", endorsing_organisations=["AlphaMSP", "BetaMSP", "GammaMSP"]))
    eventually(lambda: {each.state for each in doctor.examine(network)} == {"ok"})


def test_down_and_up_again(network):
    before = heights(network)["alpha.peer"]
    assert networks.down(network.layout.directory) == 12
    assert not any(row.pid for row in networks.status(network))
    again = networks.up(network.layout.directory, network.plan, {})
    eventually(lambda: writes(again, "alpha"))
    assert heights(again)["alpha.peer"] >= before


def test_the_genesis_digest_is_that_of_the_block(network):
    assert network.layout.genesis_digest.read_text().strip() == sha256(network.layout.genesis.read_bytes()).hexdigest()
    common_pb2.Block.FromString(network.layout.genesis.read_bytes())
