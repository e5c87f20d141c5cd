"""Every error has a stable code, a message and a context, and survives the way between processes."""

from __future__ import annotations

import pickle

import pytest

from consent.errors import CanonicalRefused, ConsentError, CovenantError, GrantRefused, ProofRefused


@pytest.mark.parametrize("kind", [CovenantError, ConsentError, CanonicalRefused, GrantRefused, ProofRefused])
def test_an_error_keeps_its_code_message_and_context_between_processes(kind: type[CovenantError]) -> None:
    error = kind("grant.withdrawn", "this grant was withdrawn", entry=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (again.code, again.message, again.context) == ("grant.withdrawn", "this grant was withdrawn", {"entry": 3})
    assert str(again) == "grant.withdrawn: this grant was withdrawn"


@pytest.mark.parametrize("kind", [CanonicalRefused, GrantRefused, ProofRefused])
def test_the_package_has_one_base(kind: type[CovenantError]) -> None:
    assert issubclass(kind, ConsentError)
