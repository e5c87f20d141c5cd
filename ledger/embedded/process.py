"""An embedded ledger as a process of its own, started and stopped by another program (demo, tests, benchmarks)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ledger.errors import LedgerError

PATIENCE = 20.0  # seconds to stop in


@dataclass(slots=True)
class Process:
    """A serving process. `address`: "host:port"; `log`: where its log goes. A context manager that stops it."""

    popen: subprocess.Popen[str]
    address: str
    tls_ca: bytes
    log: Path

    @classmethod
    def start(cls, directory: Path, port: int = 0) -> Process:
        """Serve `directory` and return once it answers. Raises LedgerError `ledger.not-started`, with its reason."""
        command = [sys.executable, "-m", "ledger.cli", "serve", "--dir", str(directory), "--port", str(port)]
        log = directory / "ledger.log"
        if not directory.is_dir():
            raise LedgerError("ledger.no-directory", f"{directory} holds no ledger: create one first")
        with log.open("ab") as errors:
            begin = errors.tell()
            popen = subprocess.Popen(
                command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert popen.stdout is not None
        line = popen.stdout.readline()
        if not line:
            popen.wait(PATIENCE)
            said = log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
            raise LedgerError("ledger.not-started", said[-1] if said else f"the ledger ended with {popen.returncode}")
        address = json.loads(line)
        tls_ca = Path(address["tls_ca"]).read_bytes()
        return cls(popen, f"{address['host']}:{address['port']}", tls_ca, log)

    def stop(self) -> int:
        """Ask it to end, writing what is queued; its exit status. Safe to call twice."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self.popen.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait(PATIENCE)
        finally:
            if self.popen.stdout is not None:
                self.popen.stdout.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
