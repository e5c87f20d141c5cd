"""The aggregate is one answer: the order of arrival does not change a bit, and nothing odd gets in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import TrainingError
from training.federation.aggregate import aggregate, check
from training.federation.vectors import digest, digest_bytes, from_bytes, to_bytes

floats = st.floats(-1e6, 1e6, width=32)
sites = st.dictionaries(
    st.sampled_from(["A", "B", "C", "D"]), st.tuples(st.lists(floats, min_size=3, max_size=3), st.integers(1, 999)),
    min_size=1,
)  # fmt: skip


def vector(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@given(sites, st.lists(floats, min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_change_a_bit(given_, base, random):
    weights = {site: weight for site, (_, weight) in given_.items()}
    shuffled = list(given_)
    random.shuffle(shuffled)
    one = aggregate(vector(base), {site: vector(given_[site][0]) for site in given_}, weights)
    two = aggregate(vector(base), {site: vector(given_[site][0]) for site in shuffled}, weights)
    assert to_bytes(one) == to_bytes(two)


@given(sites)
def test_it_is_the_weighted_mean(given_):
    base, weights = np.zeros(3, np.float32), {site: weight for site, (_, weight) in given_.items()}
    mean = sum(np.array(values) * weight for values, weight in given_.values()) / sum(weights.values())
    model = aggregate(base, {site: vector(values) for site, (values, _) in given_.items()}, weights)
    np.testing.assert_allclose(model, mean, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    ("deltas", "weights", "code"),
    [
        ({}, {}, "aggregate.empty"),
        ({"A": vector([1, 2])}, {"A": 1}, "aggregate.shape"),
        ({"A": vector([1, 2, float("nan")])}, {"A": 1}, "aggregate.not-finite"),
        ({"A": vector([1, 2, float("inf")])}, {"A": 1}, "aggregate.not-finite"),
        ({"A": vector([1, 2, 3])}, {}, "aggregate.weight"),
        ({"A": vector([1, 2, 3])}, {"A": 0}, "aggregate.weight"),
        ({"A": vector([3e38, 0, 0])}, {"A": 1}, "aggregate.not-finite"),
    ],
)
def test_odd_updates_are_refused(deltas, weights, code):
    with pytest.raises(TrainingError, match=code):
        aggregate(vector([3e38, 0, 0]), deltas, weights)


def test_an_announced_model_is_recomputed():
    base, deltas = vector([0, 0, 0]), {"A": vector([1, 2, 3])}
    model = aggregate(base, deltas, {"A": 5})
    assert check(model, digest(model)) is model
    with pytest.raises(TrainingError, match=r"aggregate\.mismatch"):
        check(model, digest(base))


def test_a_vector_is_little_endian_float32_and_named_by_its_tagged_digest():
    assert to_bytes(vector([1.0])) == bytes.fromhex("0000803f")
    assert digest(vector([1.0])) == digest_bytes(bytes.fromhex("0000803f"))
    assert from_bytes(to_bytes(vector([1.5, -2]))).tolist() == [1.5, -2.0]
    for odd in (np.zeros(3), np.zeros((2, 2), np.float32)):
        with pytest.raises(TrainingError, match=r"vector\.shape"):
            to_bytes(odd)
    with pytest.raises(TrainingError, match=r"vector\.shape"):
        from_bytes(b"abc")
