"""`covenant account`: what whoever runs a node does where no page can."""

from __future__ import annotations

import os

import pytest
from typer.testing import CliRunner

from portal.accounts import cli, services
from portal.accounts.models import ROLES_OF, Role, User
from portal.errors import PortalError

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    """What is printed. Raises the refusal."""
    done = CliRunner().invoke(cli.app, [*arguments, "--node", os.environ["COVENANT_NODE"]], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def password_in(said: str) -> str:
    return said.partition("shown this once: ")[2].partition("\n")[0]


def signs_in(client, username: str, password: str) -> bool:
    return client.post("/accounts/login/", {"username": username, "password": password}).status_code == 302


def test_a_steward_is_added_and_signs_in_with_what_was_printed(visitor):
    password = password_in(run("add", "s.weber", "--role", "steward"))
    assert User.objects.get(username="s.weber").role == Role.STEWARD
    assert signs_in(visitor(), "s.weber", password)


def test_a_new_password_ends_the_old_one_and_its_sessions(visitor, new_patient):
    old = services.set_password(user=new_patient("anna").account)
    client = visitor()
    assert signs_in(client, "anna", old) and client.get("/consent/").status_code == 200
    new = password_in(run("password", "anna"))
    assert client.get("/consent/").status_code == 302
    assert not signs_in(visitor(), "anna", old) and signs_in(visitor(), "anna", new)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "two words", "--role", "steward"), "accounts.username"),
        (("add", "", "--role", "steward"), "accounts.username"),
        (("add", "x" * 65, "--role", "steward"), "accounts.username"),
        (("add", ".anna", "--role", "steward"), "accounts.username"),
        (("add", "anna", "--role", "steward"), "accounts.taken"),
        (("add", "ada", "--role", "researcher"), "accounts.role"),  # this node is a hospital
        (("password", "nobody"), "accounts.unknown"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_made(arguments, code, new_patient):
    new_patient("anna")
    before = list(User.objects.values_list("username", "password"))
    with pytest.raises(PortalError) as refusal:
        run(*arguments)
    assert refusal.value.code == code
    assert list(User.objects.values_list("username", "password")) == before


def test_staff_is_everybody_but_patients_and_those_who_speak_for_them():
    everybody = {role for roles in ROLES_OF.values() for role in roles}
    assert {*cli.Staff} == everybody - {Role.PATIENT, Role.PROXY}
