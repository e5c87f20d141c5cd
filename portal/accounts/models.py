"""An account: a name to sign in with, a password, one role. No e-mail address, no person's name."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Role(models.TextChoices):
    PATIENT = "patient", "Patient"
    PROXY = "proxy", "Speaks for a patient"
    STEWARD = "steward", "Data steward"
    RESEARCHER = "researcher", "Researcher"
    AUDITOR = "auditor", "Auditor"


ROLES_OF = {"hospital": (Role.PATIENT, Role.PROXY, Role.STEWARD), "hub": (Role.RESEARCHER, Role.AUDITOR)}


class User(AbstractBaseUser):
    """One account of this node. The username is chosen by the hospital and means nothing elsewhere."""

    username = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=16, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    created = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    objects = BaseUserManager()

    def __str__(self) -> str:
        return f"account {self.pk}"  # never the username: it could reach a log
