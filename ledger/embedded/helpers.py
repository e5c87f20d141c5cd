"""Helper processes: they check the signatures of a batch while the ledger's own process does everything else.

Threads would take turns at the interpreter: a signature is checked outside its lock, but what is read and compared
around it is not, and every hand-over costs more than it wins. A helper knows only what it is handed, a chunk of a batch
and the function to do on it, and ends when its standard input does, which is when the ledger's process has gone, in
whatever way. One that dies is replaced at the next chunk, and loses nothing: its chunk is done here.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
COMMAND = [sys.executable, "-m", "ledger.embedded.helpers"]
PATIENCE = 10.0  # seconds to end in
_BROKEN = (OSError, EOFError, pickle.UnpicklingError)  # of the pipe, or of what came through it


class Helpers(Executor):
    """An Executor whose work is done in `count` processes, each begun when it is first needed.

    What is submitted, and what it answers, must be what pickle takes; it goes to the ledger's own children alone.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "helper")  # each has one process and waits for it
        self._own = threading.local()
        self._begun: list[subprocess.Popen[bytes]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._threads.submit(self._do, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what runs come to its end, then end the processes."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        for process in self._begun:
            _end(process)

    def _do(self, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        try:
            process = self._process()
            assert process.stdin is not None and process.stdout is not None
            pickle.dump((fn, args, kwargs), process.stdin, pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            done, answer = pickle.load(process.stdout)  # noqa: S301  our own child's
        except _BROKEN:
            done, answer = False, None
        return answer if done else fn(*args, **kwargs)

    def _process(self) -> subprocess.Popen[bytes]:
        """This thread's process, alive a moment ago."""
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None or process.poll() is not None:
            process = subprocess.Popen(
                COMMAND, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._own.process = process
            self._begun.append(process)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.close()
        process.wait(PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
    process.stdout.close()


def main() -> None:
    """Do what comes, until nothing comes any more. What raises here is done again, and raises, in the ledger."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the ledger, which still has batches to end
    work, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            fn, args, kwargs = pickle.load(work)  # noqa: S301  our own parent's
        except EOFError:
            return
        try:
            said = True, fn(*args, **kwargs)
        except Exception:
            said = False, None
        pickle.dump(said, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


if __name__ == "__main__":
    main()
