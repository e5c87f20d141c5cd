"""`refused`: the contract said no with this code, and wrote nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ledger.errors import Refused


@contextmanager
def refused(ledger: Any, code: str) -> Iterator[Any]:
    before = ledger.mark()
    with pytest.raises(Refused) as caught:
        yield caught
    assert caught.value.code == code, caught.value
    assert ledger.mark() == before, "a refused transaction wrote something"
