"""What is remembered of a failed sign-in: enough to count it, nothing that says who it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac


def remembered_as(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str | None:
    """A keyed digest in the place of what was typed as the sign-in name.

    People sign in at the wrong address, and type a password where the name belongs: no node may keep either.
    """
    typed = (credentials or request.POST).get("username")
    return None if typed is None else salted_hmac("covenant.sign-in", str(typed), algorithm="sha256").hexdigest()
