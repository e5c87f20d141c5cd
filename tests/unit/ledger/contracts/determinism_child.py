"""Runs recorded calls (JSON on standard input) over an empty ledger and prints what each of them did, in its order."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode

from ledger.errors import Refused
from tests.contract.memory import Call, MemoryLedger


def main() -> None:
    ledger = MemoryLedger()
    for line in sys.stdin:
        who, now, args, evidence = json.loads(line)
        ledger.now = now
        print(
            json.dumps(run(ledger, Call(who, now, [b64decode(arg) for arg in args], evidence and b64decode(evidence))))
        )


def run(ledger: MemoryLedger, call: Call) -> list[object]:
    """Writes in the order they were made, event and answer; or the refusal."""
    try:
        stub = ledger.run(call)
    except Refused as refusal:
        return [refusal.code, refusal.message, refusal.context]
    writes = [[key, None if value is None else b64encode(value).decode()] for key, value in stub.writes.items()]
    return [writes, repr(stub.announced), repr(stub.answer)]


if __name__ == "__main__":
    main()
