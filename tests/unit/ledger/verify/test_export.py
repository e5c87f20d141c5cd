"""An export is whole or not there, and what a real embedded ledger serves verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Refused
from ledger.network.layout import Layout
from ledger.network.plan import draw
from ledger.verify import export, framing, source, verify
from tests.unit.ledger.gateway.conftest import HOSPITALS, Server, organisations


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("ledger"))
    server.start()
    with server.connect(server.issue("steward")) as gateway:
        gateway.contract.submit("members:Found", {"organisations": organisations()})
        for name in ("one", "two"):
            text = {"text": name, "digests": {"en": "00" * 32}, "presets": ["heart-disease"]}
            gateway.contract.submit("consents:PublishText", text)
        with pytest.raises(Refused):
            gateway.contract.submit("consents:PublishText", text | {"digests": {"en": "11" * 32}})
    yield server
    server.stop()


def test_what_the_embedded_ledger_serves_verifies(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "ledger.blocks"
    with server.connect(server.issue("site", HOSPITALS[1])) as gateway:
        count, head = export(gateway, path), gateway.head()
    report = verify(path, server.genesis, [(head.height, head.hash.hex())]).report
    assert (report.height, report.transactions, report.hospitals) == (count, 3, HOSPITALS)
    assert report.founded and report.invalid == {}


@pytest.mark.parametrize("kind", ["ledger", "node", "demo"])
def test_the_source_is_found_by_what_lies_in_the_directory(server: Server, tmp_path: Path, kind: str) -> None:
    directory = server.directory
    if kind != "ledger":
        home = tmp_path / "hub" if kind == "demo" else tmp_path
        server.issue("auditor", "InstituteMSP").save(home / "identities" / "auditor")
        node = {
            "identities": {"runner": "nowhere", "auditor": "identities/auditor"},
            "ledger": {"address": f"127.0.0.1:{server.address['port']}", "tls_ca": server.address["tls_ca"]},
        }
        (home / "node.json").write_text(json.dumps(node))
        directory = tmp_path
    with source.find(directory).connect() as gateway:
        assert export(gateway, tmp_path / "l") == 4
    verify(tmp_path / "l", server.genesis)


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"block"
        raise LedgerError("gateway.blocks-failed", "the connection broke")

    (tmp_path / "l").write_bytes(b"the export of yesterday")
    with pytest.raises(LedgerError):
        framing.write(tmp_path / "l", breaking())
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("l", b"the export of yesterday")]


def test_where_nothing_can_be_written_the_reason_is_named(tmp_path: Path) -> None:
    for path, code in ((tmp_path, "export.not-a-file"), (tmp_path / "no" / "l", "export.directory-missing")):
        with pytest.raises(LedgerError) as error:
            framing.write(path, [b"block"])
        assert error.value.code == code


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LedgerError) as error:
        framing.write(tmp_path / "l", [b"block"])
    assert error.value.code == "export.failed" and "space" in error.value.message
    assert list(tmp_path.iterdir()) == []


def test_of_a_fabric_network_a_hospitals_own_peer_is_asked(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.write(draw(["aachen", "bern"], ["hub"], host="127.0.0.1", port=7050))
    first, second = source.find(tmp_path), source.find(tmp_path, "bern")
    assert (first.address, second.address) == ("127.0.0.1:7050", "127.0.0.1:7062")
    assert second.identity == tmp_path / "orgs" / "bern" / "admin" / "msp"
    assert (second.tls_client, second.tls_ca) == (
        tmp_path / "orgs" / "bern" / "admin" / "tls",
        tmp_path / "orgs" / "bern" / "tlsca" / "ca.pem",
    )
    for name, code in (("hub", "source.no-peer"), ("nobody", "network.unknown-organisation")):
        with pytest.raises(LedgerError) as error:
            source.find(tmp_path, name)
        assert error.value.code == code
    with pytest.raises(LedgerError) as error:
        source.find(tmp_path / "elsewhere", "bern")
    assert error.value.code == "source.no-network"
