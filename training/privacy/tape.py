"""What a function of tensors does, operation by operation, to be done again with other tensors of the same shapes.

    replay = record(function, batch)
    replay(*batch)  # what function(*batch) gives

torch.func's gradients are on the tape as the operations that they come to. torch's own make_fx does the same and, for
it, imports torch's compilers and SymPy: 90 MB in every hospital's worker that no hospital uses (a test).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

Function = TypeVar("Function", bound=Callable[..., tuple[Tensor, ...]])


@dataclass(frozen=True, slots=True)
class Place:
    """Stands for the tensor that came `number`-th: first what the function is given, then what operations make."""

    number: int


@dataclass(frozen=True, slots=True)
class Step:
    """One operation; `over`: the places that nothing asks for after it."""

    operation: Callable[..., Any]
    args: Any
    kwargs: Any
    made: tuple[Place, ...]
    over: tuple[Place, ...] = ()


@dataclass
class Places:
    """Which tensor stands where. Holds none of them: a batch is a hospital's records."""

    known: WeakTensorKeyDictionary = field(default_factory=WeakTensorKeyDictionary)
    count: int = 0

    def new(self, tensor: Tensor) -> Place:
        place = self.known[tensor] = Place(self.count)
        self.count += 1
        return place

    def of(self, tree: Any) -> Any:
        """`tree` with a place for each tensor that has one; what has none is no batch's, and the same every time."""
        return tree_map(
            lambda leaf: self.known[leaf] if isinstance(leaf, Tensor) and leaf in self.known else leaf, tree
        )


class Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down each operation that torch comes to while it is entered."""

    def __init__(self, places: Places) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.places = places
        self.steps: list[Step] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch imports its compilers, to tell them to leave this class alone

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("what is done next depends on a number in the data")
        before, named = self.places.of((tuple(args), dict(kwargs or {})))
        result = func(*args, **(kwargs or {}))
        self.steps.append(Step(func, before, named, tuple(map(self.places.new, tensors(result)))))
        return result


def record(function: Function, batch: Sequence[Tensor]) -> Function:
    """`function` as the operations that it does on `batch`, which is forgotten.

    Raises what it raises, and RuntimeError where it takes a number out of a tensor: other data would go another way.
    """
    places = Places()
    for tensor in batch:
        places.new(tensor)
    with Tape(places) as tape:
        results = function(*batch)
    wanted = places.of(results)
    steps = last_uses(tape.steps, wanted)

    def replay(*given: Tensor) -> tuple[Tensor, ...]:
        known = {Place(number): tensor for number, tensor in enumerate(given)}

        def now(tree: Any) -> Any:
            return tree_map(lambda leaf: known[leaf] if isinstance(leaf, Place) else leaf, tree)

        for step in steps:
            result = step.operation(*now(step.args), **now(step.kwargs))
            known.update(zip(step.made, tensors(result), strict=True))
            for place in step.over:
                del known[place]
        again: tuple[Tensor, ...] = now(wanted)
        return again

    return cast(Function, replay)


def last_uses(steps: Sequence[Step], wanted: Any) -> list[Step]:
    """The steps, each with the places that it is the last to use, so that a replay holds no more than it needs."""
    used = {leaf for leaf in tree_leaves(wanted) if isinstance(leaf, Place)}
    found = []
    for step in reversed(steps):
        uses = {leaf for leaf in tree_leaves((step.args, step.kwargs)) if isinstance(leaf, Place)}
        over = (uses | {*step.made}) - used
        used |= over
        found.append(replace(step, over=tuple(over)))
    return found[::-1]


def tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
