"""A node's settings file: every fault in one table, keys only their owner reads, no setting passed over."""

from __future__ import annotations

import json

import pytest

from portal import config
from portal.errors import ConfigurationError
from tests.functional.node import ROLES, make_node


def changed(file, **values):
    """The settings file with `values` instead; None removes a setting."""
    content = {**json.loads(file.read_text()), **values}
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))
    return file


def faults(file):
    with pytest.raises(ConfigurationError) as caught:
        config.load(file)
    assert caught.value.code == "config.invalid"
    found = dict(caught.value.context["faults"])
    lines = caught.value.message.splitlines()
    assert str(file) in lines[0]
    assert [line.split()[0] for line in lines[1:]] == [name for name, _ in caught.value.context["faults"]]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_a_whole_file_loads_with_absolute_paths(tmp_path, role):
    node = config.load(make_node(tmp_path / role, role))
    paths = [node.data, node.secret_key_file, node.ledger.tls_ca, *node.identities.values()]
    assert all(path.is_absolute() and path.is_relative_to(tmp_path / role) for path in paths)
    assert node.url == f"http://{node.host}:8001"


def test_one_run_names_every_missing_odd_and_unknown_setting(tmp_path):
    file = make_node(tmp_path / "node", "hospital")
    changed(file, title=None, broker=None, port="8001", role="clinic", databse="sqlite:///x")
    assert {name: text.partition(":")[0] for name, text in faults(file).items()} == {
        "databse": "unknown setting",
        "role": "Invalid enum value 'clinic'",
        "title": "missing",
        "port": "Expected `int`, got `str`",
        "broker": "missing",
    }


def test_one_run_names_all_that_cannot_work(tmp_path):
    file = make_node(tmp_path / "node", "hospital")
    (tmp_path / "node" / "secret.key").chmod(0o640)
    wrong = {"name": "Cleveland Clinic", "port": 0, "database": "mysql://x/y", "data": "nowhere"}
    identities = {"registrar": "registrar", "steward": "gone", "runner": "registrar"}
    found = faults(changed(file, **wrong, identities=identities))
    assert found.keys() == {
        "name", "port", "database", "data", "secret_key_file",
        "identities.site", "identities.steward", "identities.runner",
    }  # fmt: skip
    assert "hospital signs only as registrar, steward, site" in found["identities.runner"]


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o601])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    file = make_node(tmp_path / "node", "hospital")
    (tmp_path / "node" / "store.key").chmod(mode)
    assert "chmod 600" in faults(file)["encryption_key_file"]


def test_a_short_key_and_an_absent_one_are_refused(tmp_path):
    file = make_node(tmp_path / "node", "hospital")
    (tmp_path / "node" / "secret.key").write_bytes(b"secret\n")
    (tmp_path / "node" / "store.key").unlink()
    found = faults(file)
    assert "fewer than 32" in found["secret_key_file"] and "cannot read" in found["encryption_key_file"]


def test_a_hospital_needs_the_key_of_its_store_and_a_hub_may_have_none(tmp_path):
    hospital = changed(make_node(tmp_path / "hospital", "hospital"), encryption_key_file=None)
    assert faults(hospital)["encryption_key_file"].startswith("missing")
    hub = changed(make_node(tmp_path / "hub", "hub"), encryption_key_file="secret.key")
    assert "keeps no patients" in faults(hub)["encryption_key_file"]
    with pytest.raises(ConfigurationError, match="config.no-store"):
        config.load(make_node(tmp_path / "right", "hub")).encryption_key()


def test_a_hub_holds_no_hospitals_identity(tmp_path):
    node = config.load(make_node(tmp_path / "hub", "hub"))
    with pytest.raises(ConfigurationError, match="config.identity"):
        node.identity("registrar")


def test_no_file_and_no_json_are_named_so(tmp_path, monkeypatch):
    monkeypatch.delenv(config.VARIABLE)
    with pytest.raises(ConfigurationError, match="config.missing"):
        config.load()
    file = tmp_path / "node.json"
    for content in (None, "{", "[]"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(ConfigurationError, match="config.unreadable"):
            config.load(file)


def test_a_hub_may_turn_to_other_peers_and_a_hospital_to_its_own_alone(tmp_path):
    own, other = {"address": "localhost:1", "tls_ca": "own.pem"}, {"address": "localhost:2", "tls_ca": "other.pem"}
    hub = changed(make_node(tmp_path / "hub", "hub"), ledger={**own, "others": [other]})
    found = config.load(hub).ledger
    assert [place.address for place in found.places] == ["localhost:1", "localhost:2"]
    assert found.places[1].tls_ca == tmp_path / "hub" / "other.pem"
    hospital = changed(make_node(tmp_path / "hospital", "hospital"), ledger={**own, "others": [other]})
    assert "own organisation's peer alone" in faults(hospital)["ledger.others"]


def test_the_key_shown_to_a_peer_is_its_owners_alone(tmp_path):
    place = {"address": "localhost:1", "tls_ca": "own.pem", "tls_client": "tls"}
    file = changed(make_node(tmp_path / "node", "hospital"), ledger=place)
    assert "cannot read" in faults(file)["ledger.tls_client"]
    key = tmp_path / "node" / "tls" / "server.key"
    key.parent.mkdir()
    key.write_bytes(b"k" * 64)
    key.chmod(0o640)
    assert "chmod 600" in faults(file)["ledger.tls_client"]
    key.chmod(0o600)
    assert config.load(file).ledger.tls_client == key.parent
