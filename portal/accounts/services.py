"""Making accounts and setting passwords."""

from __future__ import annotations

import re
import secrets

from django.conf import settings
from django.contrib.auth.hashers import make_password

from portal.accounts.models import ROLES_OF, User
from portal.errors import PortalError

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread on paper
NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")  # of an account: it is typed, read out and shown
NAMING = (
    "begin with a letter or a digit, go on with letters (a to z), digits, dots, hyphens and underscores, 64 at most"
)


def create_user(*, username: str, role: str, password: str | None = None) -> tuple[User, str]:
    """A new account of this node and its password (generated when None: shown once, kept by nobody here).

    Raises PortalError `accounts.username` for a name that breaks the rule of NAME, `accounts.role` for a role this node
    has no place for, `accounts.taken` for a known username.
    """
    if not NAME.match(username):
        raise PortalError("accounts.username", f"this cannot be a username: {NAMING}")
    if role not in ROLES_OF[settings.NODE.role]:
        raise PortalError("accounts.role", f"a {settings.NODE.role} node has no {role} accounts", role=role)
    password = password or generated_password()
    user, created = User.objects.get_or_create(
        username=username, defaults={"role": role, "password": make_password(password)}
    )
    if not created:
        raise PortalError("accounts.taken", "this username is taken: choose another")
    return user, password


def set_password(*, user: User, password: str | None = None) -> str:
    """Give `user` a new password (generated when None) and return it; every session of the account ends."""
    password = password or generated_password()
    user.password = make_password(password)
    user.save(update_fields=["password"])
    return password


def generated_password() -> str:
    """20 characters in groups of five, 99 bits: log2(31) * 20."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))
