"""Public weights are taken only from the very file that was named, only where they fit the network exactly."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from safetensors.numpy import save

from training.errors import ModelRefused
from training.models import public, registry
from training.models.heart import DEFAULTS

GOOD = {"output.weight": np.arange(13, dtype=np.float32).reshape(1, 13), "output.bias": np.ones(1, np.float32)}


def kept(folder, data):
    """The configuration that names a file holding `data` in `folder`."""
    name = sha256(data).hexdigest()
    (folder / f"{name}.safetensors").write_bytes(data)
    return DEFAULTS.configuration() | {"public_weights": name}


def test_tensors_become_one_vector_in_the_networks_order(tmp_path):
    configuration = kept(tmp_path, save(dict(reversed(GOOD.items()))))
    assert public.weights(tmp_path, configuration).tolist() == [*range(13), 1]
    assert public.named(tmp_path) == [configuration["public_weights"]]


def test_a_file_is_kept_under_its_digest_whatever_it_was_called(tmp_path):
    (tmp_path / "best model.safetensors").write_bytes(save(GOOD))
    name, tensors = public.keep(tmp_path / "best model.safetensors", tmp_path / "kept")
    assert name == sha256(save(GOOD)).hexdigest() and set(tensors) == set(GOOD)
    assert public.named(tmp_path / "kept") == [name]
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [f"{name}.safetensors"]
    assert public.weights(tmp_path / "kept", DEFAULTS.configuration() | {"public_weights": name}).size == 14


def test_no_folder_holds_no_weights(tmp_path):
    assert public.named(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"output.weight": GOOD["output.weight"]}, "output.bias is missing"),
        (GOOD | {"extra": np.ones(1, np.float32)}, "no extra"),
        (GOOD | {"output.weight": np.ones((13, 1), np.float32)}, "output.weight must be float32 of shape (1, 13)"),
        (GOOD | {"output.weight": np.ones((1, 13), np.float64)}, "output.weight must be float32"),
        (GOOD | {"output.bias": np.ones(1, np.float16)}, "output.bias must be float32"),
    ],
)
def test_other_names_shapes_or_types_are_refused_by_name(tmp_path, tensors, words):
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, kept(tmp_path, save(tensors)))
    assert refusal.value.code == "weights.names" and words in refusal.value.message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused(tmp_path, value):
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, kept(tmp_path, save(GOOD | {"output.bias": np.full(1, value, np.float32)})))
    assert refusal.value.code == "weights.not-finite"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, DEFAULTS.configuration() | {"public_weights": "0" * 64})
    assert refusal.value.code == "weights.missing" and "covenant model keep" in refusal.value.message


def test_one_changed_byte_is_refused(tmp_path):
    data = save(GOOD)
    configuration = kept(tmp_path, data)
    (tmp_path / f"{configuration['public_weights']}.safetensors").write_bytes(data[:-1] + b"\x01")
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, configuration)
    assert refusal.value.code == "weights.digest"


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04\x95 a pickle", b"\xff" * 64, save(GOOD)[:-3]])
def test_what_is_no_safetensors_file_is_refused(tmp_path, data):
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, kept(tmp_path, data))
    assert refusal.value.code == "weights.unreadable"
    (tmp_path / "offered").write_bytes(data)
    with pytest.raises(ModelRefused) as refusal:
        public.keep(tmp_path / "offered", tmp_path / "kept")
    assert refusal.value.code == "weights.unreadable" and not (tmp_path / "kept").exists()


def test_a_file_of_more_than_a_gibibyte_is_refused_unread(tmp_path):
    with (tmp_path / f"{'0' * 64}.safetensors").open("wb") as file:
        file.truncate(public.LARGEST + 1)
    with pytest.raises(ModelRefused) as refusal:
        public.weights(tmp_path, DEFAULTS.configuration() | {"public_weights": "0" * 64})
    assert refusal.value.code == "weights.too-large"


@pytest.mark.parametrize("name", ["abc", "A" * 64, "../" + "0" * 61, "0" * 65])
def test_what_is_no_digest_is_refused_before_any_file_is_looked_for(name):
    with pytest.raises(ModelRefused) as refusal:
        registry.configuration(DEFAULTS.configuration() | {"public_weights": name})
    assert refusal.value.code == "model.configuration"
