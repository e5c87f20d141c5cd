"""Helper processes: they check the signatures of a batch while the ledger's own process does everything else.

Threads would take turns at the interpreter: a signature is checked outside its lock, but what is read and compared
around it is not, and every hand-over costs more than it wins. A helper knows only what it is handed, a chunk of a batch
and the function to do on it, and ends when its standard input does, which is when the ledger's process has gone, in
whatever way. One that dies loses nothing: its chunk is done here, and another is begun for the next.
"""

from __future__ import annotations

import logging
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
COMMAND = [sys.executable, "-m", "ledger.embedded.helpers"]
PATIENCE = 10.0  # seconds to end in

log = logging.getLogger(__name__)


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
        request = pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)
        try:
            done, answer = _ask(self._process(), request)
        except Exception as error:  # whatever broke: the work can be done here as well
            log.warning("a helper process failed (%s): another one is begun", type(error).__name__)
            self._drop()
            done, answer = False, None
        return answer if done else fn(*args, **kwargs)

    def _process(self) -> subprocess.Popen[bytes]:
        """This thread's process."""
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is None:
            process = subprocess.Popen(
                COMMAND, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._own.process = process
            self._begun.append(process)
        return process

    def _drop(self) -> None:
        """End this thread's process: what it says next might answer another question."""
        process: subprocess.Popen[bytes] | None = getattr(self._own, "process", None)
        if process is not None:
            process.kill()
            _end(process)
            self._begun.remove(process)
            self._own.process = None


def _ask(process: subprocess.Popen[bytes], request: bytes) -> tuple[bool, Any]:
    """Whether it was done, and its answer."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(request)
    process.stdin.flush()
    said: tuple[bool, Any] = pickle.load(process.stdout)  # noqa: S301  our own child's
    return said


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
    with suppress(EOFError, pickle.UnpicklingError, BrokenPipeError):  # the ledger has gone, maybe in mid-sentence
        while True:
            fn, args, kwargs = pickle.load(work)  # noqa: S301  our own parent's
            try:
                said = True, fn(*args, **kwargs)
            except Exception:
                said = False, None
            pickle.dump(said, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


if __name__ == "__main__":
    main()
