"""Laws of accounting, clipping, sampling and loading, tried on what nobody thought of."""

from __future__ import annotations

import os
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ledger.contracts import rdp
from training.errors import DataRefused, PrivacyRefused
from training.federation.aggregate import aggregate
from training.models.networks import heart_network
from training.privacy.accountants import curve, rdp_epsilon
from training.privacy.calibration import sigma_for
from training.privacy.engine import PatientEngine
from training.privacy.events import Gaussian, PoissonSampledGaussian
from training.site.heart import COLUMNS
from training.site.loader import load
from training.site.roots import merkle_root

SOAK = os.environ.get("COVENANT_SOAK") == "1"
few = settings(max_examples=1000 if SOAK else 60, print_blob=True)

sigmas = st.decimals("0.3", "30", places=3)
rates = st.decimals("0.001", "1", places=3)
events = st.one_of(
    st.builds(Gaussian, sigmas.map(float)),
    st.builds(PoissonSampledGaussian, sigmas.map(float), rates.map(float), st.integers(1, 500)),
)


@few
@given(st.lists(events, min_size=1, max_size=5), events)
def test_one_more_event_never_costs_less_and_never_more_than_both_apart(history, one):
    together = rdp_epsilon([*history, one], 1e-4)
    assert together >= rdp_epsilon(history, 1e-4)
    assert together <= rdp_epsilon(history, 5e-5) + rdp_epsilon([one], 5e-5) + 1e-9


@few
@given(sigmas, rates)
def test_sampling_never_costs(sigma, q):
    sampled = curve(PoissonSampledGaussian(float(sigma), float(q), 1))
    assert (sampled <= curve(Gaussian(float(sigma))) * (1 + 1e-12)).all() and (sampled >= 0).all()
    assert (np.diff(sampled) >= -1e-12).all()  # Renyi divergence grows with its order


@settings(max_examples=60 if SOAK else 8)
@given(sigmas, rates)
def test_floats_and_the_ledgers_decimals_are_one_curve(sigma, q):
    theirs = [units / rdp.UNIT for units in rdp.subsampled_gaussian(str(sigma), str(q))]
    assert curve(PoissonSampledGaussian(float(sigma), float(q), 1)) == pytest.approx(theirs, rel=1e-10, abs=1e-15)


@settings(max_examples=60 if SOAK else 8)
@given(
    st.decimals("0.2", "9.9", places=1), st.sampled_from(["0.001", "0.0001", "0.00001"]),
    st.decimals("0.05", "1", places=2), st.integers(1, 200), st.lists(sigmas.filter(lambda s: s > 8), max_size=2),
)  # fmt: skip
def test_what_is_calibrated_the_ledger_accepts(epsilon, delta, q, steps, metrics):
    try:
        sigma = sigma_for(str(epsilon), delta, str(q), steps, [Gaussian(float(metric)) for metric in metrics])
    except PrivacyRefused as refusal:
        assert refusal.code == "calibration.unreachable" and metrics
        return
    whole = rdp.times(rdp.subsampled_gaussian(sigma, str(q)), steps)
    for metric in metrics:
        whole = rdp.plus(whole, rdp.gaussian(str(metric)))
    assert rdp.epsilon(whole, delta) <= Decimal(epsilon)


@lru_cache
def engine(clip):
    network = heart_network(4)
    return PatientEngine(network.module, network.loss, clip), torch.from_numpy(network.give())


any_float = st.floats(width=32, allow_nan=True, allow_infinity=True)


@few
@given(
    arrays(np.float32, st.tuples(st.integers(1, 14), st.just(13)), elements=any_float),
    st.sampled_from([0.01, 1.0, 1.5]),
    st.data(),
)
def test_taking_one_patient_away_moves_the_sum_by_at_most_the_clip(features, clip, data):
    owners = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(features), max_size=len(features))))
    labels = np.array(data.draw(st.lists(st.integers(0, 1), min_size=len(features), max_size=len(features))))
    summed, weights = engine(clip)
    gone = data.draw(st.sampled_from(sorted(set(owners.tolist()))))

    def total(chosen):
        _, places = np.unique(owners[chosen], return_inverse=True)
        return summed.clipped_sum(weights, features[chosen], labels[chosen], places).double()

    everybody, rest = total(owners >= 0), total(owners != gone)
    assert torch.isfinite(everybody).all()
    assert float((everybody - rest).norm()) <= clip * (1 + 1e-5)


HEADING = ",".join(COLUMNS)
GOOD = "17,63,Male,Cleveland,typical angina,145,233,TRUE,lv hypertrophy,150,FALSE,2.3,downsloping,0,fixed defect,0"


@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=30), st.integers(0, len(HEADING + GOOD)), st.integers(0, 30))
def test_a_damaged_file_is_loaded_whole_or_refused(tmp_path, junk, place, removed):
    whole = (HEADING + "\n" + GOOD + "\n").encode()
    path = tmp_path / "hospital.csv"
    path.write_bytes(whole[:place] + junk + whole[place + removed :])
    try:
        records = load(path)
    except DataRefused as refusal:
        assert refusal.code.startswith("data.") and path.name in refusal.message
    else:
        assert len(records) >= 1 and np.isfinite(records.features).all() and abs(records.features).max() <= 1


@few
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=20), st.data())
def test_a_manifest_root_binds_every_leaf_and_their_order(leaves, data):
    place = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:place], leaves[place] + b"!", *leaves[place + 1 :]]
    assert merkle_root(changed) != merkle_root(leaves)
    assert merkle_root([*leaves, b""]) != merkle_root(leaves)
    if leaves != leaves[::-1]:
        assert merkle_root(leaves[::-1]) != merkle_root(leaves)


@few
@given(st.integers(1, 6).flatmap(lambda n: st.lists(
    arrays(np.float32, 5, elements=st.floats(-100, 100, width=32)), min_size=n, max_size=n)))  # fmt: skip
def test_equal_updates_aggregate_to_themselves(updates):
    same = {f"H{place}": updates[0] for place in range(len(updates))}
    weights = {site: place + 1 for place, site in enumerate(same)}
    assert aggregate(np.zeros(5, np.float32), same, weights) == pytest.approx(updates[0], rel=1e-6, abs=1e-30)
