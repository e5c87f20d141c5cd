"""The contracts' package, the same bytes at every hospital: what is agreed is the digest of the contracts' source.

A package holds no address and no key: a hospital's peer finds its own host by its own files (COVENANT_CONNECTIONS). So
the package id, `LABEL:SHA-256`, is the same everywhere, and it covers the digest of the source.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from consent import canonical
from ledger.network.errors import NetworkError

TYPE = "covenant"  # what ledger/chaincode/builder detects
INSTALLED = Path(__file__).parents[2]
ASK = "from ledger.contracts import host; import json; print(json.dumps([host.VERSION, host.source_digest()]))"
LARGEST = 0xFFFF  # bytes of one stored deflate block, RFC 1951 section 3.2.4


@dataclass(frozen=True, slots=True)
class Package:
    """`version` and source `digest` (64 hex characters) of the contracts in the folder `source`."""

    version: str
    digest: str
    source: Path

    @classmethod
    def of(cls, source: Path = INSTALLED) -> Package:
        """The contracts as they lie in `source`, the folder that holds the package `ledger`.

        Raises NetworkError `network.no-contracts`.
        """
        said = subprocess.run(
            [sys.executable, "-c", ASK], cwd=source, capture_output=True, text=True, timeout=60, check=False
        )
        if said.returncode or not (source / "ledger" / "contracts").is_dir():
            raise NetworkError(
                "network.no-contracts", f"{source} holds no contracts that load: name the folder of a checkout"
            )
        version, digest = json.loads(said.stdout)
        return cls(version, digest, source)

    @property
    def label(self) -> str:
        return f"covenant_{self.version}_{self.digest[:12]}"

    @property
    def data(self) -> bytes:
        """What `peer lifecycle chaincode install` takes."""
        code = archive({"contracts.json": canonical.encode({"digest": self.digest, "version": self.version})})
        return archive({"metadata.json": canonical.encode({"label": self.label, "type": TYPE}), "code.tar.gz": code})

    @property
    def id(self) -> str:
        """What peers call it once it is installed."""
        return f"{self.label}:{sha256(self.data).hexdigest()}"


def archive(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of `files` whose bytes depend on nothing else: no dates, no owners, no compressor's choices."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return stored(buffer.getvalue())


def stored(data: bytes) -> bytes:
    """`data` as gzip (RFC 1952) without compression, because compressors differ between machines."""
    blocks = [data[start : start + LARGEST] for start in range(0, max(1, len(data)), LARGEST)]
    body = b"".join(
        bytes([index == len(blocks) - 1])
        + len(block).to_bytes(2, "little")
        + (len(block) ^ 0xFFFF).to_bytes(2, "little")
        + block
        for index, block in enumerate(blocks)
    )
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    return head + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
