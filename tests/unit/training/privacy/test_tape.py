"""A tape does again what a function did, on other data, and keeps none of the data that it was made with."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch.func import grad, vmap

from training.privacy.tape import record


def gradients(weights, rows):
    return vmap(grad(lambda one, row: (one * row).tanh().sum()), in_dims=(None, 0))(weights, rows), rows.sum(0)


def in_place(weights, rows):
    total = torch.zeros(3)
    for row in rows:
        total.add_(row * weights)
    first, second = total.split([1, 2])
    return torch.cat([second, first]), weights


@pytest.mark.parametrize("function", [gradients, in_place])
def test_it_does_the_same_with_other_data(function):
    torch.manual_seed(1)
    replay = record(function, (torch.randn(3), torch.randn(5, 3)))
    for _ in range(3):
        batch = torch.randn(3), torch.randn(5, 3)
        for again, plain in zip(replay(*batch), function(*batch), strict=True):
            assert torch.equal(again, plain)


def test_constants_of_the_function_stay():
    constant = torch.tensor([1.0, 2.0, 3.0])
    replay = record(lambda rows: (rows + constant,), (torch.zeros(2, 3),))
    assert torch.equal(replay(torch.ones(2, 3))[0], torch.ones(2, 3) + constant)


def test_it_keeps_no_tensor_that_it_was_made_with():
    kept = []

    def function(rows):
        doubled = rows * 2
        kept.append(weakref.ref(doubled))
        return (doubled.sum(0),)

    rows = torch.ones(4, 3)
    kept.append(weakref.ref(rows))
    replay = record(function, (rows,))
    del rows
    gc.collect()
    assert [one() for one in kept] == [None, None]
    assert torch.equal(replay(torch.ones(4, 3))[0], torch.full((3,), 8.0))


def test_what_depends_on_a_number_in_the_data_is_refused():
    with pytest.raises(RuntimeError, match="a number in the data"):
        record(lambda rows: (rows if float(rows.sum()) > 0 else -rows,), (torch.ones(2),))
