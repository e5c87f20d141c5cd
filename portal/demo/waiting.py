"""What every node of the demo does: give an account a new password, wait for the mirror."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from portal.accounts.models import User
from portal.accounts.services import create_user, set_password
from portal.errors import PortalError


def account(username: str, role: str) -> str:
    """A new password for `username`, whose account is made when there is none."""
    standing = User.objects.filter(username=username).first()
    return set_password(user=standing) if standing else create_user(username=username, role=role)[1]


def awaited(look: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    """What `look` finds as soon as this node's mirror of the ledger shows it; PortalError `demo.not-mirrored`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise PortalError(
                "demo.not-mirrored", f"{what} did not reach this node in {seconds:.0f} s: is its reactor running?"
            )
        time.sleep(0.05)
    return found
