"""The keystream: standard normals, exact uniforms, never the same twice, whatever seeds others set."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from monai.utils import set_determinism
from scipy import stats

from training.privacy import noise
from training.privacy.noise import Keystream, expand
from training.privacy.sampling import poisson_sample


def test_normals_are_standard_normal():
    values = Keystream().normals(400_000)
    assert stats.kstest(values, "norm").pvalue > 1e-6
    assert abs(values.mean()) < 0.01 and abs(values.var() - 1) < 0.015
    assert stats.kurtosis(values) == pytest.approx(0, abs=0.05)


def test_neighbours_in_the_stream_are_independent():
    values = Keystream().normals(200_000)
    for lag in (1, 2, 50_000, 100_000):
        assert abs(np.corrcoef(values[:-lag], values[lag:])[0, 1]) < 0.02


def test_uniforms_are_multiples_of_two_to_the_minus_53_above_zero():
    values = Keystream().uniforms(100_000)
    assert values.min() > 0 and values.max() <= 1
    assert (np.ldexp(values, 53) % 1 == 0).all()
    assert stats.kstest(values, "uniform").pvalue > 1e-6


def test_the_extremes_of_a_uniform_stay_finite(monkeypatch):
    for word in (b"\x00" * 8, b"\xff" * 8):
        monkeypatch.setattr(Keystream, "take", lambda self, count, word=word: word * (count // 8))
        values = Keystream().normals(8)
        assert np.isfinite(values).all() and (abs(values) < 12.2).all()


def test_a_global_seed_changes_nothing():
    draws = []
    for _ in range(2):
        set_determinism(0)
        torch.manual_seed(0)
        np.random.seed(0)
        draws.append(Keystream().normals(20_000))
    assert abs(np.corrcoef(*draws)[0, 1]) < 0.05


def test_a_forked_process_takes_a_new_key():
    stream = Keystream()
    stream.take(1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, stream.take(32))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 32) != stream.take(32)
    os.close(reader)
    os.close(writer)


def test_a_process_begun_anew_draws_other_noise():
    program = "from training.privacy.noise import Keystream; print(Keystream().normals(4).tolist())"
    begun = [subprocess.run([sys.executable, "-c", program], check=True, capture_output=True) for _ in range(2)]
    assert begun[0].stdout.startswith(b"[") and begun[0].stdout != begun[1].stdout


def test_a_key_is_renewed_before_it_is_worn(monkeypatch):
    monkeypatch.setattr(noise, "REKEY_AFTER", 64)
    stream = Keystream()
    first = stream._cipher
    stream.take(64)
    assert stream._cipher is first
    stream.take(1)
    assert stream._cipher is not first
    assert len(stream.take(1000)) == 1000


def test_expanding_a_key_is_chacha20():
    """RFC 7539, A.1, vector 1: the keystream of an all-zero key and nonce begins 76b8e0ada0f13d90."""
    word = int.from_bytes(bytes.fromhex("76b8e0ada0f13d90"), "little") >> 11
    assert expand(bytes(32), 3)[0] == (word + 1) / 2**53


def test_a_sample_takes_each_with_its_rate():
    stream, counts = Keystream(), np.zeros(50)
    sizes = []
    for _ in range(4000):
        chosen = poisson_sample(50, 0.2, stream)
        counts[chosen] += 1
        sizes.append(len(chosen))
    assert stats.chisquare(counts).pvalue > 1e-6
    assert np.mean(sizes) == pytest.approx(10, abs=0.3)
    assert np.var(sizes) == pytest.approx(8, rel=0.15)  # binomial: patients come independently


def test_the_edges_of_sampling():
    stream = Keystream()
    assert len(poisson_sample(7, 1.0, stream)) == 7
    assert len(poisson_sample(0, 0.5, stream)) == 0
    assert len(poisson_sample(1000, 1e-12, stream)) == 0
