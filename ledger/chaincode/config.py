"""What a host is told when it starts: one JSON file, whose every field is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from ledger.errors import LedgerError
from ledger.identity import files

PATTERN = r"^[^\s:]+:[0-9]{1,5}$"
Address = Annotated[str, Meta(pattern=PATTERN)]


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """Paths of PEM files, relative to the configuration: the host's certificate and key, and who issues the peer's."""

    certificate: str
    key: str
    peer_ca: str


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """`listen`: where the peer connects. `package_id`: as the peer installed it, LABEL:HASH. `digest`: of the source of
    the contracts in that package, 64 hex characters. `hospitals`: MSP ids, from the genesis block's endorsement policy.
    `metrics`: where the operator's page is, or null.
    """

    listen: Address
    package_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.+-]+:[0-9a-f]{64}$")]
    digest: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    hospitals: Annotated[tuple[str, ...], Meta(min_length=1)]
    tls: Tls
    metrics: Address | None

    @classmethod
    def load(cls, path: Path) -> Config:
        """Raises LedgerError `host.config`, which names the field."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise LedgerError("host.config", f"{path} cannot be read: `covenant network deploy` writes it") from error
        except msgspec.MsgspecError as error:
            raise LedgerError("host.config", f"{path}: {error}: `covenant network deploy` writes it anew") from error


def credentials(tls: Tls, folder: Path) -> tuple[bytes, bytes, bytes]:
    """The host's key and certificate and its peer's authority, PEM.

    Raises LedgerError `identity.missing`, `identity.malformed`, `identity.open-key`, `host.certificate-expired`.
    """
    key = folder / tls.key
    files.key(key)
    if key.stat().st_mode & 0o077:
        raise LedgerError("identity.open-key", f"{key} can be read by others: chmod 600 {key}")
    files.certificate(folder / tls.peer_ca)
    certificate = files.certificate(folder / tls.certificate)
    if certificate.not_valid_after_utc < datetime.now(UTC):
        raise LedgerError(
            "host.certificate-expired",
            f"{folder / tls.certificate} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: issue a new one",
        )
    return files.read(key), files.read(folder / tls.certificate), files.read(folder / tls.peer_ca)


def split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
