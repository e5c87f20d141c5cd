"""Keys and certificates: whatever is missing, expired, foreign or open is named before anything starts."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta

import pytest

from ledger.identity import tls
from ledger.identity.ca import Authority
from ledger.network import material
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import draw

PLAN = draw(["alpha", "beta"], ["institute"], host="127.0.0.1", port=7050)
ALPHA, BETA, INSTITUTE = PLAN.organisations


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path)
    for each in PLAN.organisations:
        material.create(made, each)
    return made


def refusal(layout, organisation=ALPHA):
    with pytest.raises(NetworkError) as caught:
        material.check(layout, organisation)
    return caught.value


def test_what_was_made_is_good_and_secret(layout):
    for each in PLAN.organisations:
        material.check(layout, each)
    keys = [*layout.directory.rglob("*.key"), *layout.directory.rglob("key.pem")]
    assert len(keys) == 2 * (2 + 4 + 3) + 4
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_half_a_crypto_folder(layout):
    for pem in material.certificates(layout, ALPHA):
        kept = pem.read_bytes()
        pem.unlink()
        assert refusal(layout).code == "network.material-missing"
        assert "covenant network renew alpha" in refusal(layout).message
        pem.write_bytes(kept)
    (layout.folder(ALPHA) / "orderer" / "tls" / "server.key").unlink()
    assert refusal(layout).code == "network.material-missing"


@pytest.mark.parametrize("file", ["msp/config.yaml", "msp/cacerts/ca.pem", "msp/keystore/key.pem"])
def test_half_an_identity(layout, file):
    (layout.folder(ALPHA) / "peer" / file).unlink()
    assert refusal(layout).code == "network.material-missing"
    assert refusal(layout).message.startswith(str(layout.folder(ALPHA) / "peer" / file))


@pytest.mark.parametrize("file", ["peer/tls/server.pem", "peer/tls/server.key", "orderer/msp/signcerts/cert.pem"])
def test_a_damaged_file(layout, file):
    (layout.folder(ALPHA) / file).write_text("")
    assert refusal(layout).code == "network.material-damaged"
    assert file in refusal(layout).message and "covenant network renew alpha" in refusal(layout).message


@pytest.mark.parametrize("content", [None, b"x"])
def test_an_authority_that_is_gone_is_restored_and_cannot_be_renewed(layout, content):
    authority = layout.folder(ALPHA) / "tlsca" / "ca.pem"
    authority.unlink() if content is None else authority.write_bytes(content)
    assert refusal(layout).code == ("network.material-missing" if content is None else "network.material-damaged")
    assert refusal(layout).message.endswith("restore it from a backup")


def test_an_authoritys_key_may_be_kept_elsewhere_and_is_asked_for_when_needed(layout):
    before = material.msp(layout, ALPHA)
    key = layout.folder(ALPHA) / "ca" / "ca.key"
    key.unlink()
    material.check(layout, ALPHA)
    assert material.msp(layout, ALPHA) == before
    with pytest.raises(NetworkError, match=rf"^network\.authority-away: {key} .*put it back"):
        material.authorities(layout, ALPHA)


def test_an_expired_certificate(layout):
    authority = Authority.load(layout.folder(ALPHA) / "ca")
    begin = datetime.now(UTC) - timedelta(minutes=30)
    old = authority.issue("peer.alpha", [], "peer", not_before=begin, not_after=begin + timedelta(minutes=1))
    old.save(layout.folder(ALPHA) / "peer" / "msp")
    assert refusal(layout).code == "network.certificate-expired"
    assert refusal(layout).message.endswith(": issue it anew with `covenant network renew alpha`")


@pytest.mark.parametrize("authority", ["ca", "tlsca"])
def test_an_expired_authority(layout, authority):
    past = datetime.now(UTC) - timedelta(days=3651)
    Authority.create(ALPHA.msp, "old", now=past).save(layout.folder(ALPHA) / authority)
    assert refusal(layout).code == "network.certificate-expired"
    assert refusal(layout).message.endswith("let this member leave, and join again under another name")


def test_a_certificate_of_another_organisation(layout):
    other = Authority.load(layout.folder(BETA) / "ca")
    other.issue("peer.alpha", [], "peer").save(layout.folder(ALPHA) / "peer" / "msp")
    assert refusal(layout).code == "network.foreign-certificate"


def test_a_root_of_another_organisation(layout):
    root = layout.folder(BETA) / "ca" / "ca.pem"
    (layout.folder(ALPHA) / "peer" / "msp" / "cacerts" / "ca.pem").write_bytes(root.read_bytes())
    assert refusal(layout).code == "network.foreign-certificate"


def test_an_authority_of_another_organisation(layout):
    Authority.load(layout.folder(BETA) / "ca").save(layout.folder(ALPHA) / "ca")
    assert refusal(layout).code == "network.other-organisation"


@pytest.mark.parametrize("file", ["peer/tls/server.key", "peer/msp/keystore/key.pem", "ca/ca.key", "tlsca/ca.key"])
def test_a_key_that_others_may_read(layout, file):
    key = layout.folder(ALPHA) / file
    key.chmod(0o640)
    assert refusal(layout).code == "network.open-key"
    assert f"chmod 600 {key}" in refusal(layout).message


def test_a_key_of_another_certificate(layout):
    folder = layout.folder(ALPHA) / "host" / "tls"
    kept = (folder / "server.pem").read_bytes()
    tls.issue(Authority.load(layout.folder(ALPHA) / "tlsca"), "host.alpha", ["localhost"], 1).save(folder)
    (folder / "server.pem").write_bytes(kept)
    assert refusal(layout).code == "network.wrong-key"


def test_an_organisation_brings_its_own_authority(tmp_path):
    mine = Authority.create("AlphaMSP", "ca.mine")
    mine.save(tmp_path / "mine")
    layout = Layout(tmp_path / "network")
    material.create(layout, ALPHA, tmp_path / "mine")
    assert material.msp(layout, ALPHA).root_certs == (mine.pem,)
    with pytest.raises(NetworkError, match=r"^network\.other-organisation: "):
        material.create(layout, BETA, tmp_path / "mine")
