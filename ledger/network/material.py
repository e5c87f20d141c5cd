"""An organisation's keys and certificates: made once, judged before every start.

Two authorities an organisation: `ca` for those who sign (NodeOU peer, orderer, admin, client), `tlsca` for connections.
An organisation may bring its own `ca` (the demo's nodes do); everything else is issued here. Whatever is missing,
damaged, expired, of another organisation or readable by others is named, with what mends it.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from importlib.resources import files as resources
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.errors import LedgerError
from ledger.identity import files, tls
from ledger.identity.ca import Authority
from ledger.network.errors import NetworkError
from ledger.network.layout import Layout
from ledger.network.plan import Organisation
from ledger.protocol.configuration import MspConfig
from ledger.protocol.consortium import Hospital

RESTORE = "restore it from a backup"
SUCCEED = "no command renews an authority: let this member leave, and join again under another name"
NODE_DAYS = 730  # peers, orderers, hosts; docs/operate/fabric.md says how they are renewed
PARTS = {"hospital": ("admin", "peer", "orderer", "host"), "institute": ("admin",)}
DAY = timedelta(days=1)
NODE_OUS = resources("ledger.network").joinpath("templates", "config.yaml").read_bytes()


def create(layout: Layout, organisation: Organisation, ca: Path | None = None) -> None:
    """Issue everything that `organisation` needs; `ca`: the folder of an authority that it already has."""
    folder = layout.folder(organisation)
    if ca is None:
        Authority.create(organisation.msp, f"ca.{organisation.name}").save(folder / "ca")
    else:
        shutil.copytree(ca, folder / "ca")
    authority = Authority.load(folder / "ca")
    if authority.msp_id != organisation.msp:
        raise NetworkError(
            "network.other-organisation",
            f"{ca} is the authority of {authority.msp_id}, not of {organisation.msp}: name the right folder",
        )
    tls_authority = Authority.create(organisation.msp, f"tlsca.{organisation.name}")
    tls_authority.save(folder / "tlsca")
    for part in PARTS[organisation.kind]:
        issue(folder / part, organisation, part, authority, tls_authority)


def issue(folder: Path, organisation: Organisation, part: str, authority: Authority, tls_authority: Authority) -> None:
    """Issue keys and certificates for `part` (admin, peer, orderer, host) of `organisation` into `folder`."""
    hosts = sorted({organisation.host, "localhost", "127.0.0.1"})
    tls.issue(tls_authority, f"{part}.{organisation.name}", hosts, NODE_DAYS).save(folder / "tls")
    if part != "host":
        lasting = min(authority.certificate.not_valid_after_utc, datetime.now(UTC) + NODE_DAYS * DAY)
        identity = authority.issue(f"{part}.{organisation.name}", [], part, not_after=lasting)
        identity.save(folder / "msp")
        files.write(folder / "msp" / "config.yaml", NODE_OUS)


def msp(layout: Layout, organisation: Organisation) -> MspConfig:
    """What the channel's configuration says of `organisation`; its authorities' keys are not asked for."""
    folder = layout.folder(organisation) / "ca"
    revoked = folder / "revoked.crl"
    return MspConfig(
        organisation.msp,
        (files.certificate(folder / "ca.pem").public_bytes(Encoding.PEM),),
        (files.revocation_list(revoked).public_bytes(Encoding.PEM),) if revoked.exists() else (),
        (files.read(layout.tls_ca(organisation)),),
    )


def hospital(layout: Layout, organisation: Organisation) -> Hospital:
    """The hospital's part in the channel's configuration."""
    orderer = layout.folder(organisation) / "orderer"
    return Hospital(
        msp(layout, organisation),
        organisation.consenter,
        organisation.peer,
        organisation.orderer,
        files.read(orderer / "msp" / "signcerts" / "cert.pem"),
        files.read(orderer / "tls" / "server.pem"),
    )


def authorities(layout: Layout, organisation: Organisation) -> tuple[Authority, Authority]:
    """Who signs for `organisation`: its people and processes, and its connections.

    Raises NetworkError `network.authority-away` where a key is kept elsewhere.
    """
    folder = layout.folder(organisation)
    for key in (folder / "ca" / "ca.key", folder / "tlsca" / "ca.key"):
        if not key.exists():
            raise NetworkError(
                "network.authority-away",
                f"{key} is not here: put it back from where it is kept, and give the same command again",
            )
    return Authority.load(folder / "ca"), Authority.load(folder / "tlsca")


def check(layout: Layout, organisation: Organisation) -> None:
    """Return quietly, or name what is wrong with the folder of `organisation`.

    Raises NetworkError `network.material-missing`, `network.material-damaged`, `network.open-key`,
    `network.other-organisation`, `network.foreign-certificate`, `network.certificate-expired`, `network.wrong-key`.
    """
    folder = layout.folder(organisation)
    authority = _authority(folder / "ca", organisation)
    tls_authority = _authority(folder / "tlsca", organisation)
    renew = f"issue it anew with `covenant network renew {organisation.name}`"
    remedy = f"{RESTORE}, or {renew}"
    for pem in certificates(layout, organisation):
        of_tls = pem.name == "server.pem"
        key = pem.with_suffix(".key") if of_tls else pem.parents[1] / "keystore" / "key.pem"
        _pair(pem, key, tls_authority if of_tls else authority, remedy, renew)
        if not of_tls:
            _exists(pem.parents[1] / "config.yaml", remedy)
            if _certificate(pem.parents[1] / "cacerts" / "ca.pem", remedy, SUCCEED) != authority:
                raise _foreign(pem.parents[1] / "cacerts" / "ca.pem", remedy)


def certificates(layout: Layout, organisation: Organisation) -> list[Path]:
    """The files of every certificate that the organisation's two authorities issued for the network."""
    folder = layout.folder(organisation)
    parts = PARTS[organisation.kind]
    signing = [folder / part / "msp" / "signcerts" / "cert.pem" for part in parts if part != "host"]
    return [*signing, *(folder / part / "tls" / "server.pem" for part in parts)]


def _authority(folder: Path, organisation: Organisation) -> x509.Certificate:
    certificate = _certificate(folder / "ca.pem", RESTORE, SUCCEED)
    said = folder / "mspid"
    named = said.read_text().strip() if said.exists() else ""
    if named != organisation.msp:
        raise NetworkError(
            "network.other-organisation",
            f"{folder} belongs to {named or 'nobody'}, not to {organisation.msp}: put the right folder there",
        )
    if (folder / "ca.key").exists():  # it may be kept offline
        _closed(folder / "ca.key")
    return certificate


def _pair(pem: Path, private: Path, authority: x509.Certificate, remedy: str, renew: str) -> None:
    certificate = _certificate(pem, remedy, renew)
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise _foreign(pem, remedy) from None
    _exists(private, remedy)
    _closed(private)
    try:
        key = files.key(private)
    except LedgerError as error:
        raise _damaged(error, remedy) from None
    if key.public_key() != certificate.public_key():
        raise NetworkError("network.wrong-key", f"{private} is not the key of {pem}: {remedy}")


def _certificate(pem: Path, remedy: str, renew: str) -> x509.Certificate:
    """`remedy` where it is missing or damaged, `renew` where it has expired."""
    _exists(pem, remedy)
    try:
        certificate = files.certificate(pem)
    except LedgerError as error:
        raise _damaged(error, remedy) from None
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise NetworkError(
            "network.certificate-expired", f"{pem} expired on {certificate.not_valid_after_utc:%d %B %Y}: {renew}"
        )
    return certificate


def _exists(file: Path, remedy: str) -> None:
    if not file.exists():
        raise NetworkError("network.material-missing", f"{file} is missing: {remedy}")


def _closed(private: Path) -> None:
    if private.stat().st_mode & 0o077:
        raise NetworkError("network.open-key", f"others may read {private}: chmod 600 {private}")


def _foreign(pem: Path, remedy: str) -> NetworkError:
    return NetworkError("network.foreign-certificate", f"{pem} is not of this organisation's authority: {remedy}")


def _damaged(error: LedgerError, remedy: str) -> NetworkError:
    return NetworkError("network.material-damaged", f"{error.message}: {remedy}")
