"""The door: functions by name, one canonical object, strict types, and a refusal that names the field."""

from __future__ import annotations

from tests.contract.refusals import refused
from tests.contract.world import HOSPITALS

STEWARD = f"{HOSPITALS[0]}.steward"


def test_an_unknown_function(world):
    with refused(world.ledger, "function.unknown"):
        world.ledger.submit(STEWARD, "consents:Forge", {})


def test_a_missing_field_is_named(world):
    with refused(world.ledger, "arguments.invalid") as caught:
        world.ledger.submit(STEWARD, "budget:Open", {"cap": "8"})
    assert "delta" in caught.value.message


def test_an_unknown_field_is_named(world):
    with refused(world.ledger, "arguments.invalid") as caught:
        world.ledger.submit(STEWARD, "budget:Open", {"cap": "8", "delta": "0.0001", "extra": 1})
    assert "extra" in caught.value.message


def test_a_wrong_type_is_named(world):
    with refused(world.ledger, "arguments.invalid") as caught:
        world.ledger.submit(STEWARD, "studies:Pause", {"paused": "yes"})
    assert "paused" in caught.value.message


def test_a_number_with_an_exponent_is_no_decimal(world):
    with refused(world.ledger, "arguments.invalid") as caught:
        world.ledger.submit(STEWARD, "budget:Open", {"cap": "8", "delta": "1e-4"})
    assert "delta" in caught.value.message
