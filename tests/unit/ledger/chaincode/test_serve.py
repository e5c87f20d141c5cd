"""`python -m ledger.chaincode serve`: who may connect, what the operator sees, and one line when it cannot start."""

from __future__ import annotations

import json
import subprocess

import grpc
import pytest

from ledger.identity import files
from ledger.identity.ca import Authority
from tests.contract.world import Patient, digest
from tests.unit.ledger.chaincode.conftest import PACKAGE, ROOT, issue, wait
from tests.unit.ledger.chaincode.peer import Peer


def refusal(host) -> str:
    host.start()
    assert host.popen.wait(60) == 1
    return host.log.strip().splitlines()[-1].partition(": ")[0]


class TestStarting:
    def test_other_contracts_than_the_packages_are_not_served(self, prepared):
        prepared.settings["digest"] = "0" * 64
        assert refusal(prepared) == "host.wrong-source"

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"listen": "nowhere"}, "listen"),
            ({"package_id": "covenant"}, "package_id"),
            ({"digest": "AB" * 32}, "digest"),
            ({"hospitals": []}, "hospitals"),
            ({"tls": {"certificate": "a", "key": "b"}}, "peer_ca"),
            ({"unheard-of": 1}, "unheard-of"),
        ],
    )
    def test_a_configuration_with_a_wrong_field_names_it(self, prepared, change, named):
        prepared.settings |= change
        assert refusal(prepared) == "host.config"
        assert named in prepared.log

    def test_a_missing_field_or_file_is_named(self, prepared):
        del prepared.settings["metrics"]
        assert refusal(prepared) == "host.config"
        assert "metrics" in prepared.log

    def test_a_port_that_is_taken(self, serving, prepared, tmp_path):
        for field in ("listen", "metrics"):
            (tmp_path / field).mkdir()
            other = type(prepared)(tmp_path / field, prepared.authority, dict(prepared.settings))
            other.settings["tls"] = {name: str(tmp_path / path) for name, path in prepared.settings["tls"].items()}
            other.settings[field] = serving.addresses[field]
            assert refusal(other) == "host.port-in-use"

    def test_a_key_that_others_can_read(self, prepared):
        (prepared.folder / "tls/host.key").chmod(0o644)
        assert refusal(prepared) == "identity.open-key"

    def test_an_expired_certificate(self, prepared):
        key, certificate = issue(prepared.authority, "host", days=-1)
        files.write_key(prepared.folder / "tls/host.key", key)
        files.write(prepared.folder / "tls/host.pem", certificate)
        assert refusal(prepared) == "host.certificate-expired"

    def test_a_missing_file(self, prepared):
        (prepared.folder / "tls/ca.pem").unlink()
        assert refusal(prepared) == "identity.missing"


class TestWhoMayConnect:
    def attempt(self, serving, credentials) -> grpc.StatusCode:
        peer = Peer(serving.addresses["listen"], credentials, {})
        try:
            return peer.ended.result(10)
        finally:
            peer.close()

    def test_nobody_without_a_certificate_of_the_hospitals_own(self, serving, tmp_path):
        pem = serving.authority.pem
        assert self.attempt(serving, grpc.ssl_channel_credentials(pem)) is grpc.StatusCode.UNAVAILABLE
        key, certificate = issue(Authority.create("BetaMSP", "tls.beta"), "peer")
        files.write_key(tmp_path / "foreign.key", key)
        foreign = grpc.ssl_channel_credentials(pem, (tmp_path / "foreign.key").read_bytes(), certificate)
        assert self.attempt(serving, foreign) is grpc.StatusCode.UNAVAILABLE


class TestTheOperatorsPage:
    def test_health_follows_the_peer(self, serving):
        assert serving.page("/healthz")[0] == 503
        peer = serving.peer()
        wait(lambda: serving.page("/healthz") == (200, "ok\n"))
        assert serving.page("/other")[0] == 404
        peer.close()
        wait(lambda: serving.page("/healthz")[0] == 503)

    def test_outcomes_are_counted_by_code(self, serving, founded, registrar):
        peer = serving.peer(dict(founded))
        peer.call(registrar, "consents:Get", {"commitment": digest("x")})
        peer.call(registrar, "no:Such", {})
        peer.close()
        text = serving.page("/metrics")[1]
        assert 'covenant_chaincode_transactions_total{code="ok"} 1' in text
        assert 'covenant_chaincode_transactions_total{code="function.unknown"} 1' in text
        assert "covenant_chaincode_seconds_count 2" in text
        assert 'covenant_chaincode_seconds_bucket{le="+Inf"} 2' in text


def test_nothing_that_was_said_stands_in_the_log_or_the_figures(serving, founded, registrar):
    peer = serving.peer(dict(founded))
    signed = Patient().grant()
    peer.call(registrar, "consents:Record", {"grant": signed.sealed()}, signed.evidence())
    wrong = Patient().grant()
    peer.call(registrar, "consents:Record", {"grant": wrong.sealed()}, signed.evidence())
    peer.call(registrar, "canary:Function", {"canary": "argument"})
    peer.close()
    seen = serving.log + serving.page("/metrics")[1]
    assert "a peer connected" in seen  # the log is the one looked at
    said = [signed.commitment, wrong.commitment, signed.statement.nonce, "heart-2026.1", "Canary", "canary"]
    assert not [each for each in said if each in seen]


class TestBuilder:
    """The three scripts, called as a peer calls them."""

    def script(self, name: str, *arguments, **environment: str) -> subprocess.CompletedProcess[str]:
        path = ROOT / "ledger/chaincode/builder/bin" / name
        return subprocess.run(
            [path, *map(str, arguments)],
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    @pytest.fixture
    def package(self, tmp_path):
        for folder in ("source", "metadata", "output", "release", "connections"):
            (tmp_path / folder).mkdir()
        (tmp_path / "source/contracts.json").write_text("{}")
        (tmp_path / "metadata/metadata.json").write_text(
            json.dumps({"type": "covenant", "label": PACKAGE.split(":")[0]})
        )
        return tmp_path

    def test_a_package_of_ours_ends_with_the_hospitals_own_connection(self, package):
        (package / "connections/covenant_0.1.0.json").write_text('{"address": "127.0.0.1:1"}')
        assert self.script("detect", package / "source", package / "metadata").returncode == 0
        built = self.script("build", package / "source", package / "metadata", package / "output")
        assert built.returncode == 0, built.stderr
        released = self.script(
            "release", package / "output", package / "release", COVENANT_CONNECTIONS=str(package / "connections")
        )
        assert released.returncode == 0, released.stderr
        found = package / "release/chaincode/server/connection.json"
        assert json.loads(found.read_text()) == {"address": "127.0.0.1:1"}

    def test_a_package_of_another_kind_is_left_to_others(self, package):
        (package / "metadata/metadata.json").write_text('{"type": "golang", "label": "covenant"}')
        assert self.script("detect", package / "source", package / "metadata").returncode != 0

    def test_what_is_missing_is_said_with_a_code(self, package):
        (package / "source/contracts.json").unlink()
        built = self.script("build", package / "source", package / "metadata", package / "output")
        assert (built.returncode, built.stderr.partition(": ")[0]) == (1, "package.malformed")
        (package / "output/metadata.json").write_text((package / "metadata/metadata.json").read_text())
        for environment, code in (
            ({}, "package.no-connections"),
            ({"COVENANT_CONNECTIONS": str(package / "connections")}, "package.no-connection: "),
        ):
            released = self.script("release", package / "output", package / "release", **environment)
            assert released.returncode != 0
            assert code in released.stderr
