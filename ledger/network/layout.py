"""Where a network keeps what, below one directory; each organisation's secrets lie in that organisation's folder alone.

network.json            who takes part; written last when a network is founded
network.draft           the same, while it is being founded: what a crash leaves is undone by the next `up`
genesis.block           the channel's first block; genesis.sha256 its digest
orgs/NAME/ca, tlsca     the two authorities; admin/, peer/, orderer/, host/ what they issued, with settings and data
orgs/NAME/NAME.member.json  what the others know of a member that has a directory of its own
orgs/NAME/renewal/      new keys and certificates that count once the channel knows them
configuration/          the last change of the channel's configuration, for who wants to look at it
run/NAME.PROCESS.pid    what was started;  logs/NAME.PROCESS.log
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consent import canonical
from consent.errors import CanonicalRefused
from ledger import disk
from ledger.network.errors import NetworkError
from ledger.network.plan import Organisation, Plan


@dataclass(frozen=True, slots=True)
class Layout:
    """The files below `directory` (absolute)."""

    directory: Path

    @property
    def plan(self) -> Path:
        return self.directory / "network.json"

    @property
    def draft(self) -> Path:
        return self.directory / "network.draft"

    @property
    def genesis(self) -> Path:
        return self.directory / "genesis.block"

    @property
    def genesis_digest(self) -> Path:
        return self.directory / "genesis.sha256"

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def packages(self) -> Path:
        return self.directory / "packages"

    @property
    def configuration(self) -> Path:
        return self.directory / "configuration"

    @property
    def organisations(self) -> Path:
        return self.directory / "orgs"

    def folder(self, organisation: Organisation) -> Path:
        return self.organisations / organisation.name

    def tls_ca(self, organisation: Organisation) -> Path:
        return self.folder(organisation) / "tlsca" / "ca.pem"

    def admin(self, organisation: Organisation) -> Path:
        return self.folder(organisation) / "admin" / "msp"

    def client_tls(self, organisation: Organisation) -> Path:
        """The certificate that the organisation's own programs show when they connect: server.pem, server.key."""
        return self.folder(organisation) / "admin" / "tls"

    def member(self, name: str) -> Path:
        """What the organisation tells the others, where each has a directory of its own."""
        return self.organisations / name / f"{name}.member.json"

    @property
    def prepared(self) -> list[Path]:
        """The member whose directory this is, before there is a plan that says it: its file for the others."""
        return sorted(self.organisations.glob("*/*.member.json"))

    def renewal(self, organisation: Organisation) -> Path:
        return self.folder(organisation) / "renewal"

    def connections(self, organisation: Organisation) -> Path:
        """Where the peer's builder finds how to reach a chaincode host: LABEL.json."""
        return self.folder(organisation) / "host" / "connections"

    def read(self) -> Plan:
        """The network's plan.

        Raises NetworkError `network.not-found`, `network.unfinished`, `network.malformed`, `network.directory`.
        """
        if self.draft.exists():
            raise NetworkError(
                "network.unfinished", f"{self.directory} holds half a network: covenant network up founds it again"
            )
        try:
            return canonical.decode_as(self.plan.read_bytes(), Plan)
        except (FileNotFoundError, NotADirectoryError):
            raise NetworkError(
                "network.not-found", f"{self.directory} holds no network: covenant network up makes one, or name --dir"
            ) from None
        except OSError as error:
            raise _unusable(self.plan, error) from None
        except CanonicalRefused as error:
            raise NetworkError(
                "network.malformed", f"{self.plan} was changed by hand ({error.message}): put it back from a backup"
            ) from None

    def write(self, plan: Plan) -> None:
        """Write network.json whole or not at all."""
        _write(self.plan, plan)

    def write_draft(self, plan: Plan) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        _write(self.draft, plan)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time changes a network: NetworkError `network.busy` for the second, `network.directory`."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle = disk.hold(self.directory / "lock")
        except BlockingIOError:
            raise NetworkError(
                "network.busy", f"another command changes {self.directory}: wait until it has ended"
            ) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise _unusable(self.directory, error) from None
        try:
            yield
        finally:
            os.close(handle)


def _unusable(path: Path, error: OSError) -> NetworkError:
    return NetworkError("network.directory", f"{path} cannot be used ({error.strerror}): name another --dir")


def _write(file: Path, plan: Plan) -> None:
    with disk.replacing(file, 0o666) as handle:  # who may read it is the caller's umask
        handle.write(canonical.encode(plan))
