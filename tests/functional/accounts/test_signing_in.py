"""Who gets in, who does not, and what a browser may do with a page."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from portal.accounts import services, views
from portal.accounts.models import Role, User
from portal.errors import PortalError
from portal.limits import Limit

pytestmark = pytest.mark.django_db


def test_signing_in_leads_to_the_first_page(visitor, new_patient):
    patient = new_patient("anna")
    password = services.set_password(user=patient.account)
    client = visitor()
    answer = client.post("/accounts/login/", {"username": "anna", "password": password}, follow=True)
    assert answer.redirect_chain[-1][0] == "/consent/"
    assert "cleveland-sessionid" in client.cookies
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/consent/").status_code == 302


def test_the_sixth_wrong_password_waits(visitor, new_patient):
    patient = new_patient("bert")
    password = services.set_password(user=patient.account)
    client = visitor()
    statuses = [client.post("/accounts/login/", {"username": "bert", "password": "no"}).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]
    waits = client.post("/accounts/login/", {"username": "bert", "password": password})
    assert waits.status_code == 429 and waits["retry-after"] == "900"
    page = waits.content.decode()
    assert "please wait 15 minutes and try again" in page and 'href="/withdraw/"' in page
    elsewhere = visitor()
    elsewhere.defaults["REMOTE_ADDR"] = "192.0.2.9"
    assert elsewhere.post("/accounts/login/", {"username": "bert", "password": password}).status_code == 302


def test_many_names_from_one_address_wait_too_and_nobody_elses(visitor, new_patient, monkeypatch):
    monkeypatch.setattr(views, "WRONG", Limit("sign-in", 3, 900))
    patient = new_patient("cora")
    password = services.set_password(user=patient.account)
    client = visitor()
    wrong = [client.post("/accounts/login/", {"username": f"n{n}", "password": "no"}).status_code for n in range(4)]
    assert wrong == [200, 200, 200, 429]
    right = {"username": "cora", "password": password}
    waits = client.post("/accounts/login/", right)
    assert waits.status_code == 429 and 0 < int(waits["retry-after"]) <= 900
    elsewhere = visitor()
    elsewhere.defaults["REMOTE_ADDR"] = "192.0.2.9"
    assert elsewhere.post("/accounts/login/", right).status_code == 302


def test_what_was_typed_at_the_wrong_address_is_not_kept(visitor, new_patient):
    patient = new_patient("egon.friedell.1878-01-21")
    password = services.set_password(user=patient.account)
    client = visitor()
    for name, word in (("egon.friedell.1878", "no"), (password, "no"), (patient.account.username, "no")):
        client.post("/accounts/login/", {"username": name, "password": word})
    kept = str(list(AccessAttempt.objects.values()))
    assert AccessAttempt.objects.count() == 3
    assert "egon" not in kept and password not in kept
    client.post("/accounts/login/", {"username": patient.account.username, "password": password})
    assert AccessAttempt.objects.count() == 2  # signing in forgets that account's failures, and only those


def test_passwords_are_kept_as_argon2(db):
    user, password = services.create_user(username="carla", role="steward")
    assert user.password.startswith("argon2") and password not in user.password


@pytest.mark.parametrize("role", ["researcher", "auditor", "governor"])
def test_a_hospital_has_no_place_for_the_hubs_people(db, role):
    with pytest.raises(PortalError, match=r"accounts\.role"):
        services.create_user(username="x", role=role)


def test_a_taken_name_is_refused_and_changes_nothing(db):
    user, _ = services.create_user(username="dora", role="steward")
    with pytest.raises(PortalError, match=r"accounts\.taken"):
        services.create_user(username="dora", role="patient")
    assert User.objects.get(username="dora").role == user.role


def test_pages_run_no_inline_script_and_are_not_kept(visitor, db):
    for path in ("/", "/accounts/login/", "/withdraw/"):
        answer = visitor().get(path)
        policy = answer["content-security-policy"]
        assert "'unsafe-inline'" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "no-store" in answer["cache-control"]
        page = answer.content.decode()
        assert " style=" not in page and "onclick" not in page and page.count("<script") == page.count("<script src=")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost"])
def test_another_host_name_is_refused_and_the_right_one_named(host, visitor, db):
    answer = visitor(host=host).get("/consent/?language=de")
    assert answer.status_code == 400 and f'<a href="{settings.NODE.url}/">'.encode() in answer.content


def test_a_form_without_its_token_is_refused(db):
    from django.test import Client

    client = Client(headers={"host": "cleveland.localhost"}, enforce_csrf_checks=True)
    assert client.post("/accounts/login/", {"username": "a", "password": "b"}).status_code == 403


def test_the_hub_has_no_patient_pages(hub, visitor, db):
    client = visitor(host="hub.localhost")
    assert client.get("/").status_code == 200
    for path in ("/consent/", "/consent/give/", "/withdrawals/"):
        assert client.get(path).status_code == 404


def addresses(resolver: URLResolver, prefix: str = "") -> list[tuple[str, URLPattern]]:
    found: list[tuple[str, URLPattern]] = []
    for each in resolver.url_patterns:
        path = prefix + str(each.pattern)
        found += addresses(each, path) if isinstance(each, URLResolver) else [(path, each)]
    return found


SAMPLES = {
    "<uuid:pk>": "11111111-1111-4111-8111-111111111111",
    "<uuid:study>": "22222222-2222-4222-8222-222222222222",
    "<int:round_>": "1",
}
PUBLIC = ("/", "/accounts/login/", "/accounts/logout/", "/withdraw/")
EVERYBODY = ("/accounts/password/", "/accounts/password/changed/")
NEEDS_ANSWERS = (  # else back to the start
    *(f"/consent/give/{step}/" for step in ("purpose", "until", "exactly", "check")),
    "/consent/new-text/",
)
NOTHING_WAITS = ("/consent/to-sign.json",)  # else 404
MATRIX = [
    (path, pattern)
    for path, pattern in addresses(get_resolver("portal.urls.hospital"))
    if path.split("/")[0] in ("", "accounts", "consent", "withdraw", "withdrawals")
]


@pytest.mark.parametrize(("path", "pattern"), MATRIX, ids=[path or "/" for path, _ in MATRIX])
def test_permission_matrix(path, pattern, visitor, new_patient, steward):
    """Every address, asked for by nobody, a patient who owns no such row, a steward, and one of the hub's people."""
    path = "/" + path
    for place, sample in SAMPLES.items():
        path = path.replace(place, sample)
    people = (None, new_patient().account, steward, User.objects.create(username="r", role="researcher"))
    anonymous, patient, as_steward, researcher = (visitor(user).get(path).status_code for user in people)
    if path in PUBLIC:
        assert anonymous in (200, 405)
    elif path.startswith("/withdraw/"):
        assert {anonymous, patient, as_steward, researcher} == {404}
    elif path in EVERYBODY:
        assert (anonymous, patient, as_steward, researcher) == (302, 200, 200, 200)
    elif path == "/withdrawals/":
        assert (anonymous, patient, as_steward, researcher) == (302, 404, 200, 404)
    else:
        assert (anonymous, as_steward, researcher) == (302, 404, 404)
        assert patient == (404 if "-4" in path or path in NOTHING_WAITS else 302 if path in NEEDS_ANSWERS else 200)


def test_at_the_hub_a_patients_page_is_404_for_everybody(hub, visitor, db):
    """Every address of a hospital's patients, for every persona, asked for and sent to."""
    people = [None, *(User.objects.create(username=role, role=role) for role in Role)]
    gone = [path for path, _ in MATRIX if path.split("/")[0] in ("consent", "withdraw", "withdrawals")]
    gone.remove("withdraw/")  # the institute takes a withdrawal itself
    for place, sample in SAMPLES.items():
        gone = [path.replace(place, sample) for path in gone]
    wrong = {}
    for client in [visitor(user, host="hub.localhost") for user in people]:
        for path in gone:
            answers = client.get(f"/{path}").status_code, client.post(f"/{path}").status_code
            if answers != (404, 404):
                wrong[path] = answers
        assert client.get("/withdraw/").status_code == 200
    assert len(gone) > 15 and not wrong
