"""Which patients train and which are held out: fixed by the data set and a seed, whoever consents later.

The same patients as FLamby's Fed-Heart-Disease, which uses scikit-learn's train_test_split: 34 % held out, in the
proportion of the labels where each label has at least three patients. NumPy's RandomState is frozen (NEP 19), so its
draws are the same in every version; a test compares with scikit-learn. This is no place for secret randomness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import DataRefused
from training.site.loader import Records

HELD_OUT = 1 - 0.66
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Split:
    """Patients' ids, in the file's order; none is in both."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


def split(records: Records, seed: int) -> Split:
    """Split a whole data set; `seed` is 0..2**32 - 1. Raises DataRefused `data.too-small` below 3 patients.

    Split the data set first and ask for consent afterwards: a withdrawal must not move anybody else across.
    """
    people = records.people
    if len(people) < 3:
        raise DataRefused("data.too-small", "a data set of fewer than 3 patients cannot be split")
    random = np.random.RandomState(seed)
    kinds = records.labels if records.strata is None else records.strata
    first = np.unique(records.owners, return_index=True)[1]  # each patient's first record
    labels = kinds[first].astype(np.int64)
    counts = np.bincount(labels, minlength=2)
    held = _stratified(labels, random) if counts.min() > 2 else _plain(len(labels), random)
    chosen = {int(place) for place in held}
    return Split(
        tuple(patient for place, patient in enumerate(people) if place not in chosen),
        tuple(patient for place, patient in enumerate(people) if place in chosen),
    )


def _plain(count: int, random: np.random.RandomState) -> Places:
    held: Places = random.permutation(count)[: math.ceil(count * HELD_OUT)]
    return held


def _stratified(labels: NDArray[np.int64], random: np.random.RandomState) -> Places:
    """scikit-learn's StratifiedShuffleSplit for one split: allot, then permute each class, then the whole."""
    count = len(labels)
    held_count = math.ceil(count * HELD_OUT)
    train_count = math.floor(count * 0.66)
    classes, indices, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    by_class = np.split(np.argsort(indices, kind="mergesort"), np.cumsum(sizes)[:-1])
    train_sizes = _allot(sizes, train_count, random)
    held_sizes = _allot(sizes - train_sizes, held_count, random)
    held: list[int] = []
    for place in range(len(classes)):
        order = random.permutation(sizes[place])
        shuffled = by_class[place].take(order, mode="clip")
        held.extend(shuffled[train_sizes[place] : train_sizes[place] + held_sizes[place]])
    return np.array(held, dtype=np.intp)


def _allot(sizes: NDArray[np.int64], draws: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """Share `draws` among classes in proportion; the largest remainders first, ties by lot (_approximate_mode)."""
    continuous = sizes / sizes.sum() * draws
    floored = np.floor(continuous)
    missing = int(draws - floored.sum())
    if missing > 0:
        remainder = continuous - floored
        for value in np.sort(np.unique(remainder))[::-1]:
            (places,) = np.where(remainder == value)
            some = min(len(places), missing)
            floored[random.choice(places, size=some, replace=False)] += 1
            missing -= some
            if missing == 0:
                break
    allotted: NDArray[np.int64] = floored.astype(np.int64)
    return allotted
