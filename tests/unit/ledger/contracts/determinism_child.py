"""Runs recorded calls (JSON on standard input) over an empty ledger and prints what each of them did, in its order."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode

from ledger.errors import Refused
from tests.contract.memory import Call, MemoryLedger

ledger = MemoryLedger()
for line in sys.stdin:
    who, now, args, evidence = json.loads(line)
    ledger.now = now
    call = Call(who, now, [b64decode(arg) for arg in args], None if evidence is None else b64decode(evidence))
    try:
        stub = ledger.run(call)
        writes = [[key, None if value is None else b64encode(value).decode()] for key, value in stub.writes.items()]
        print(json.dumps([writes, repr(stub.announced), repr(stub.answer)]))
    except Refused as refusal:
        print(json.dumps([refusal.code, refusal.message, refusal.context]))
