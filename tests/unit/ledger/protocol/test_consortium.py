"""A channel of several hospitals: a strict majority of hospitals rules, and a Byzantine quorum of orderers seals."""

from __future__ import annotations

import pytest
from fabric_protos.common import configuration_pb2, policies_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.orderer import configuration_pb2 as orderer_pb2
from hypothesis import given
from hypothesis import strategies as st

from ledger.protocol import consortium, policy
from ledger.protocol.configuration import MspConfig
from ledger.protocol.consortium import Address, Hospital, Ordering

INSTITUTE = MspConfig("InstituteMSP", (b"root",))


def hospital(number: int) -> Hospital:
    msp = MspConfig(f"H{number}MSP", (b"root",), (), (b"tls root",))
    peer, orderer = Address("10.0.0.1", 7000 + number), Address("10.0.0.1", 8000 + number)
    return Hospital(msp, number, peer, orderer, b"pem %d" % number, b"tls %d" % number)


def made(count: int):
    return consortium.channel_group(
        [hospital(n) for n in range(count, 0, -1)], [INSTITUTE], Ordering(consortium.kind(count))
    )


def rule(group, name):
    return policies_pb2.SignaturePolicyEnvelope.FromString(group.policies[name].policy.value)


@given(st.integers(4, 40))
def test_any_two_quorums_share_an_honest_orderer(count):
    liars, quorum = (count - 1) // 3, consortium.quorum(count)
    assert 2 * quorum - count > liars  # they share more than may lie
    assert quorum <= count - liars  # the honest alone suffice


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_a_strict_majority_of_hospitals_endorses_and_no_institute_counts(count):
    application = made(count).groups["Application"]
    for name in ("Endorsement", "LifecycleEndorsement"):
        envelope = rule(application, name)
        assert envelope.rule.n_out_of.n == count // 2 + 1
        assert policy.principals(envelope) == tuple((f"H{n}MSP", "peer") for n in range(1, count + 1))
    assert "InstituteMSP" in application.groups
    assert "AnchorPeers" not in application.groups["InstituteMSP"].values


@pytest.mark.parametrize("group", ["", "Application", "Orderer"])
def test_a_majority_of_the_hospitals_admins_changes_any_rule(group):
    root = made(4)
    envelope = rule(root.groups[group] if group else root, "Admins")
    assert envelope.rule.n_out_of.n == 3
    assert {role for _, role in policy.principals(envelope)} == {"admin"}


@pytest.mark.parametrize(("count", "signatures"), [(4, 3), (5, 4), (7, 5)])
def test_a_block_needs_a_quorum_of_the_consenters_own_certificates(count, signatures):
    orderer = made(count).groups["Orderer"]
    envelope = rule(orderer, "BlockValidation")
    assert envelope.rule.n_out_of.n == signatures
    signers = [identities_pb2.SerializedIdentity.FromString(each.principal) for each in envelope.identities]
    consenters = configuration_pb2.Orderers.FromString(orderer.values["Orderers"].value).consenter_mapping
    assert [each.id_bytes for each in signers] == [each.identity for each in consenters]
    assert [each.id for each in consenters] == list(range(1, count + 1))


def test_fewer_than_four_hospitals_order_by_raft():
    kinds = {
        count: orderer_pb2.ConsensusType.FromString(made(count).groups["Orderer"].values["ConsensusType"].value).type
        for count in (1, 3, 4)
    }
    assert kinds == {1: "etcdraft", 3: "etcdraft", 4: "BFT"}
    assert "Orderers" not in made(3).groups["Orderer"].values


def test_one_hospital_is_one_organisation_wherever_it_stands():
    root = made(4)
    for name in ("H1MSP", "H4MSP"):
        parts = [root.groups[group].groups[name].values["MSP"] for group in ("Application", "Orderer")]
        assert parts[0] == parts[1]


@pytest.mark.parametrize("group", ["", "Application", "Orderer"])
def test_a_members_signature_is_verified_once_to_see_whether_it_may_write(group):
    """One rule names everybody: a reference to each organisation's own would verify it for each that is tried."""
    root = made(4)
    at = root.groups[group] if group else root
    assert {name: at.policies[name].policy.type for name in ("Readers", "Writers")} == {
        "Readers": policies_pb2.Policy.SIGNATURE,
        "Writers": policies_pb2.Policy.SIGNATURE,
    }


@pytest.mark.parametrize("group", ["", "Application", "Orderer"])
@pytest.mark.parametrize("ou", ["client", "admin", "orderer", "peer"])
@pytest.mark.parametrize("msp_id", ["H1MSP", "H4MSP", "InstituteMSP", "StrangerMSP"])
def test_members_read_and_all_but_their_peers_write(group, ou, msp_id):
    root = made(4)
    at = root.groups[group] if group else root
    signer = policy.Signer(msp_id, ou, b"key")
    member = msp_id in at.groups or (not group and msp_id in root.groups["Application"].groups)
    assert policy.is_satisfied(rule(at, "Readers"), [signer]) == member
    assert policy.is_satisfied(rule(at, "Writers"), [signer]) == (member and ou != "peer")
