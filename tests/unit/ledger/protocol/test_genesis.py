"""The genesis block says who takes part; rules other than a strict majority of hospitals are refused."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ledger.errors import LedgerError
from ledger.protocol import block, configuration, genesis, policy
from ledger.protocol.configuration import ORDERER_MSP, MspConfig

HOSPITALS = [MspConfig(f"H{number}MSP", (b"root",)) for number in (3, 1, 2)]
INSTITUTE = MspConfig("InstituteMSP", (b"root",), (b"list",))


def made(**changes: object) -> bytes:
    arguments = {
        "channel": "covenant",
        "hospitals": HOSPITALS,
        "institutes": [INSTITUTE],
        "orderer": MspConfig(ORDERER_MSP, (b"root",)),
        "seconds": 1,
        "nonce": b"n" * 24,
    }
    return genesis.build(**{**arguments, **changes})  # type: ignore[arg-type]


def test_what_was_built_is_read_back():
    first = made()
    config = genesis.read(first)
    assert (config.channel, config.institutes) == ("covenant", ("InstituteMSP",))
    assert config.hospitals == ("H1MSP", "H2MSP", "H3MSP")
    assert config.organisations["InstituteMSP"] == INSTITUTE
    assert config.digest == sha256(first).hexdigest()
    assert policy.principals(config.endorsement) == tuple((name, "peer") for name in config.hospitals)
    assert policy.principals(config.block_validation) == ((ORDERER_MSP, "orderer"),)


def test_institutes_count_in_no_majority():
    assert "InstituteMSP" not in dict(policy.principals(genesis.read(made()).endorsement))


@pytest.mark.parametrize(
    "rule", [lambda names: policy.out_of(1, names, "peer"), lambda names: policy.out_of(2, names, "client")]
)
def test_a_weaker_endorsement_policy_is_refused(rule, monkeypatch):
    true = policy.majority
    monkeypatch.setattr(policy, "majority", lambda names, role: rule(names) if role == "peer" else true(names, role))
    forged = made()
    monkeypatch.undo()
    with pytest.raises(LedgerError, match=r"genesis\.policies"):
        genesis.read(forged)


@pytest.mark.parametrize(
    "changes", [{"hospitals": []}, {"institutes": [HOSPITALS[0]]}, {"institutes": [MspConfig(ORDERER_MSP, ())]}]
)
def test_organisations_are_named_once_and_hospitals_exist(changes):
    with pytest.raises(LedgerError, match=r"genesis\.organisations"):
        made(**changes)


def test_an_ordinary_block_is_no_genesis_block():
    with pytest.raises(LedgerError, match=r"genesis\.malformed"):
        genesis.read(block.build(1, b"p" * 32, [b"x"], b"\x00", []))


def test_configuration_names_fabrics_groups():
    group = configuration.channel_group(sorted(HOSPITALS), [INSTITUTE], MspConfig(ORDERER_MSP, (b"root",)))
    assert set(group.groups) == {"Application", "Orderer"}
    majorities = {"Endorsement", "LifecycleEndorsement", "Admins"}
    assert set(group.groups["Application"].policies) == {"Readers", "Writers", *majorities}
