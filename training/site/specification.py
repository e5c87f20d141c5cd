"""How a plan and a data set name what happens to a hospital's file: by digests of what was written down beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from consent import canonical


def transformation(name: str, specification: Mapping[str, Any]) -> str:
    """`name`@ and the hex digest of everything that is done to the data."""
    return f"{name}@{canonical.digest('covenant.transformation.v1', canonical.encode(specification)).hex()}"


def schema(columns: Sequence[str]) -> str:
    """The hex digest of the columns, or of the arrays, that a file has, in their order."""
    return canonical.digest("covenant.schema.v1", canonical.encode(list(columns))).hex()
