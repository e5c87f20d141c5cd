"""A passkey's assertion in the contract: read and verified within a millisecond; beside it, the bare signature."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from consent import canonical, keys
from consent.webauthn import RelyingParty
from ledger.contracts.evidence import Evidence, check_grant
from ledger.contracts.sealed import SealedGrant
from ledger.contracts.state import read
from tests.bench.claims import claim
from tests.contract.world import Patient

TIMES = 2_000


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(TIMES):
        work()
    return (time.perf_counter() - began) / TIMES * 1000


def main() -> None:
    patient = Patient.with_passkey()
    assert patient.passkey is not None
    signed = patient.grant()
    party = RelyingParty(patient.passkey.rp_id, (patient.passkey.origin,))
    grant = canonical.convert(signed.sealed(), SealedGrant)
    evidence = canonical.encode(signed.evidence())
    raw = keys.sign(patient.key, signed.data)
    whole = milliseconds(lambda: check_grant(grant, read(evidence, Evidence), "covenant", party))
    bare = milliseconds(lambda: keys.verifies(keys.load(signed.key), raw, signed.data))
    print(f"passkey's grant, evidence read and checked: {whole:.3f} ms; a bare signature: {bare:.3f} ms")
    claim("passkey checked in the contract", whole, "ms", baseline=("bare signature", bare), at_most=1)


if __name__ == "__main__":
    main()
