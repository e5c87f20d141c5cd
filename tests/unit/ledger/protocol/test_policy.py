"""A strict majority of hospitals, by their peers: nobody counts twice, nobody else counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.protocol import policy
from ledger.protocol.policy import Signer

HOSPITALS = ["A", "B", "C", "D"]
signers = st.builds(
    Signer,
    st.sampled_from([*HOSPITALS, "Institute"]),
    st.sampled_from(["peer", "client", "admin"]),
    st.sampled_from([b"1", b"2"]),
)


@given(st.lists(signers, max_size=8))
def test_a_majority_is_more_than_half_of_the_hospitals_by_their_peers(given_signers):
    voted = {each.msp_id for each in given_signers if each.ou == "peer" and each.msp_id in HOSPITALS}
    assert policy.is_satisfied(policy.majority(HOSPITALS, "peer"), given_signers) == (len(voted) > len(HOSPITALS) / 2)


@given(st.integers(1, 9))
def test_half_is_no_majority(count):
    names = [f"H{number}" for number in range(count)]
    half = [Signer(name, "peer", b"k") for name in names[: count // 2]]
    assert not policy.is_satisfied(policy.majority(names, "peer"), half)
    assert policy.is_satisfied(policy.majority(names, "peer"), [*half, Signer(names[-1], "peer", b"k")])


def test_the_same_signers_are_judged_by_each_policy_anew():
    three = [Signer(name, "peer", b"k") for name in HOSPITALS[:3]]
    for _ in range(2):
        assert policy.is_satisfied(policy.out_of(3, HOSPITALS, "peer"), three)
        assert not policy.is_satisfied(policy.out_of(4, HOSPITALS, "peer"), three)
        assert not policy.is_satisfied(policy.out_of(3, HOSPITALS, "orderer"), three)
