"""What the services of one ledger share: configuration, keys, store, threads. Opened and closed as a whole."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from ledger.embedded.committer import Committer, Outcome
from ledger.embedded.endorser import Endorser
from ledger.embedded.helpers import Helpers
from ledger.embedded.layout import Layout
from ledger.embedded.prepared import PreparedTransactions
from ledger.embedded.progress import Progress
from ledger.embedded.store import Reader, Store
from ledger.errors import LedgerError
from ledger.identity import files
from ledger.identity.msp import Identity
from ledger.identity.validation import Validator
from ledger.protocol import genesis


class Node:
    """An open ledger. Make it on the event loop; `close` writes what is queued. The directory is locked."""

    def __init__(self, layout: Layout) -> None:
        """Raises LedgerError `ledger.*`, `genesis.*`, `identity.*` when the directory cannot be used."""
        self._loop = asyncio.get_running_loop()
        self.layout = layout
        self.address = ""
        self.stopping = False
        first = files.read(layout.genesis)
        self.config = genesis.read(first)
        self.store = Store(layout.database)
        self.reader = self.store.reader()
        self._begin(first)
        self.validator = Validator(self.config.organisations)
        threads = max(2, os.cpu_count() or 1)
        self.workers = ThreadPoolExecutor(threads, "proposal")
        self._pool = Helpers(threads)
        self._local = threading.local()
        self.prepared = PreparedTransactions()
        peers = [Identity.load(layout.peer(name)) for name in self.config.hospitals]
        self.endorser = Endorser(self.config, self.validator, peers, self._pool, self.prepared)
        self.progress = Progress(self.reader)
        self.committer = Committer(self.store, Identity.load(layout.orderer), self._done)
        self.committer.start()

    def thread_reader(self) -> Reader:
        """This thread's own connection."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self.store.reader()
        return reader

    async def close(self) -> None:
        """Write what is queued, answer who waits, and let go of the files."""
        self.stopping = True
        await asyncio.to_thread(self.committer.stop)
        await asyncio.sleep(0)  # the last outcome's callback
        self.workers.shutdown()
        self._pool.shutdown()
        self.reader.close()
        self.store.close()

    def _begin(self, first: bytes) -> None:
        """Block 0 is the genesis block, and nothing else ever was."""
        stored = self.reader.block(0)
        if stored is None:
            self.store.append(0, first, [], {})
        elif stored != first:
            raise LedgerError("ledger.other-genesis", "the database was begun with another genesis block")

    def _done(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self.progress.finish, outcome)
