"""Importing a library as if libraries that it takes up where it finds them were not installed.

MONAI loads all of itself to build one layer, and with it pandas, SciPy, scikit-learn and pydicom: 90 MB in each
hospital's worker, and nothing that its networks use. It takes an import that fails for "not installed".
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType

BESIDE_NETWORKS = frozenset({"pandas", "pydicom", "scipy", "sklearn"})


class Absent(MetaPathFinder):
    """Finds that the packages `names` are missing, and nothing else."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)


@contextmanager
def absent(names: Collection[str]) -> Iterator[None]:
    """Until the end, none of the packages `names` can be imported that is not there already."""
    finder = Absent(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
