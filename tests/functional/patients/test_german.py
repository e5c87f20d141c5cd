"""Every page that a patient, a guardian or a visitor can meet, in German: nothing in English is left on any."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from msgspec.structs import replace

from portal.catalogue import manifests
from portal.demo.authenticator import Passkey as Device
from portal.patients import mandates, passkey_setup, services, texts
from portal.patients.models import Grant, Passkey
from portal.patients.urls import urlpatterns
from portal.reactor import selectors as mirror
from tests.functional.patients.test_impact import entered
from tests.functional.patients.test_passkeys import ORIGIN, RP_ID, Browser, chosen
from tests.functional.patients.test_speaking import AGES, guardian, says_yes, years_ago
from tests.support.desks import HOSPITAL
from tests.support.spoken import untranslated
from tests.support.studies import approved, run_round
from tests.support.understanding import two_versions

pytestmark = pytest.mark.django_db
NAMES = {"Cleveland Clinic", "Ada", ": Ada", "Who needs an angiography?", "Covenant"}
NOTHING = {"csrfmiddlewaretoken": "as every form has it"}
FILES = (
    "proof",
    "handed-in-file",
    "to-",
    "acknowledgement",
    "receipt-",
    "acting-receipt",
    "acting-answer",
    "acting-proof",
)


class Reader:
    """Asks each page in both languages, and remembers which pages it has seen."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.left: dict[str, set[str]] = {}

    def read(self, client: Any, name: str, *args: object, status: int = 200, sent: dict[str, Any] | None = None) -> str:
        """The German page; `sent`: what is posted to it first, and answered by the page itself."""
        path, pages = reverse(name, "portal.urls.hospital", args=args), {}
        for language in ("en", "de"):
            answer = client.get(path, {"language": language})
            if sent is not None:
                files = {key: io.BytesIO(value) if isinstance(value, bytes) else value for key, value in sent.items()}
                answer = client.post(path, files)
            assert answer.status_code == status, (name, sent, answer.status_code)
            pages[language] = answer.content.decode()
        if left := untranslated(pages["en"], pages["de"], {*NAMES, *self.named()}):
            self.left[f"{name} {sent or ''}"] = left
        self.seen.add(name)
        return pages["de"]

    @staticmethod
    def named() -> set[str]:
        return {f"{one['name']}{end}" for one in mirror.records("members/org/") for end in ("", ":")}


@pytest.fixture
def clinic(desks, settings):
    """A hospital whose data set has been in a study of two rounds: returns the study and the ids of its records."""
    slug = desks.dataset()
    study = approved(desks, slug)
    for number in (1, 2):
        run_round(desks, study, number)
    desks.follow()
    desks.at("steward")
    settings.NODE = replace(settings.NODE, ages=AGES)
    settings.ROOT_URLCONF = "portal.urls.hospital"
    return study, manifests.split_of(f"{HOSPITAL}/{slug}", 1).training


@pytest.fixture
def newer(tmp_path, monkeypatch):
    """Puts two versions of a text of their own in the place of this hospital's texts, and names them."""

    def put() -> tuple[str, str]:
        names = two_versions(tmp_path)
        monkeypatch.setattr(texts, "WORDING", tmp_path)
        return names

    return put


def yes(patient) -> Grant:
    now = services.this_month()
    return services.give(patient=patient, preset="heart-disease", valid_from=now, valid_until="2040-01")


def test_no_english_is_left_on_any_page_of_patients_speakers_and_visitors(clinic, desks, new_patient, visitor, newer):
    reader = Reader()
    (study, records), account = clinic, new_patient().account
    own_pages(reader, desks, study, new_patient(records=(records[0],)), visitor)
    speakers_pages(reader, desks, study, new_patient(records=(records[1],)), visitor)
    reader.read(visitor(account), "patients:acting")  # speaks for nobody
    visitors_pages(reader, desks, new_patient(), visitor)
    newer_text(reader, desks, new_patient(), visitor, newer)
    assert not reader.left
    read = {f"patients:{one.name}" for one in urlpatterns if theirs(one.callback) and not one.name.startswith(FILES)}
    assert read <= reader.seen


def theirs(view: Any) -> bool:
    """Whether patients, those who speak for them or visitors see the page."""
    return bool({"patient", "proxy"} & set(getattr(view, "personas", ("patient",))))


def own_pages(reader, desks, study, patient, visitor):
    client = visitor(patient.account)
    for name in ("home", "give", "passkey", "device-key", "uses"):
        reader.read(client, f"patients:{name}")
    reader.read(client, "patients:passkey", sent={"passkey": "{}"}, status=422)
    reader.read(client, "patients:device-key", sent={"key": "no key"}, status=422)
    reader.read(client, "patients:give", sent={"q1": "0"}, status=422)
    chosen(client)
    for name in ("purpose", "until", "exactly", "check"):
        reader.read(client, f"patients:give-{name}")
    for name in ("purpose", "until"):
        reader.read(client, f"patients:give-{name}", sent=NOTHING, status=422)
    wrong = {"data_from": "2024-05-01", "data_until": "2020-01-01", "studies": "any", "listed": [study]}
    reader.read(client, "patients:give-exactly", sent=wrong, status=422)

    grant = yes(patient)  # with the hospital's key
    reader.read(client, "patients:grant", grant.pk)
    reader.read(client, "patients:receipt", grant.pk)
    desks.follow()
    for number, kind in ((1, "training"), (3, "evaluation")):
        entered(grant, study, number, kind)
    for name in ("home", "uses"):
        reader.read(client, f"patients:{name}")
    for name in ("grant", "receipt", "narrow", "narrow-until", "narrow-exactly", "narrow-check", "withdraw"):
        reader.read(client, f"patients:{name}", grant.pk)
    reader.read(client, "patients:withdraw-study", grant.pk, study)
    browser = Browser(client, Device(RP_ID, ORIGIN))
    assert browser.set_up().status_code == 302
    reader.read(client, "patients:passkey")
    reader.read(client, "patients:sign-anew", grant.pk)
    reader.read(client, "patients:sign-anew", grant.pk, sent={"passkey": "{}"}, status=422)
    for name in ("narrow-check", "withdraw"):
        reader.read(client, f"patients:{name}", grant.pk)
    Passkey.objects.update(copied=datetime.now(UTC))
    reader.read(client, "patients:passkey")
    passkey_setup.lose(signer=patient)
    reader.read(client, "patients:passkey")
    services.withdraw(grant=Grant.objects.get(pk=grant.pk))
    reader.read(client, "patients:grant", grant.pk)
    desks.follow()
    reader.read(client, "patients:grant", grant.pk)
    reader.read(client, "patients:home")


def speakers_pages(reader, desks, study, ada, visitor):
    mandates.register_age(patient=ada, born=years_ago(9), evidence=b"paper")
    mother, father = guardian(ada, "mother"), guardian(ada, "father")
    client = visitor(mother.account)
    for name in ("acting-for", "acting-yes", "acting-no", "acting-passkey", "acting-uses"):
        reader.read(client, f"patients:{name}", mother.pk)
    reader.read(client, "patients:acting")
    reader.read(client, "patients:acting-no", mother.pk, sent=NOTHING, status=422)
    reader.read(client, "patients:acting-yes", mother.pk, sent={"q1": "0"}, status=422)
    grant = says_yes(client, mother)
    reader.read(client, "patients:acting-for", mother.pk)
    desks.follow()
    entered(grant, study, 2)
    session = client.session
    session[f"saying-{mother.pk}"] = {
        "preset": "heart-disease",
        "until": "2040-01",
        "text": grant.text,
        "language": "de",
        "digest": services.texts.text(grant.text, "de").digest,
    }
    session.save()
    reader.read(client, "patients:acting-check", mother.pk)
    for name in ("acting-for", "acting-uses"):
        reader.read(client, f"patients:{name}", mother.pk)
    names = ("narrow", "narrow-until", "narrow-exactly", "narrow-check", "back")
    for name in names:
        reader.read(client, f"patients:acting-{name}", grant.pk)
    reader.read(client, "patients:acting-leave", grant.pk, study)
    other = visitor(father.account)
    mandates.speak(mandate=father, wish=None, text=grant.text, language="en")
    desks.follow()
    for one, mandate in ((client, mother), (other, father)):
        reader.read(one, "patients:acting-for", mandate.pk)
    reader.read(other, "patients:acting-back", father.grants.get().pk)
    own = visitor(ada.account)
    reader.read(own, "patients:home")
    reader.read(own, "patients:give")
    mandates.end(mandate=mother)
    reader.read(client, "patients:acting-for", mother.pk)


def visitors_pages(reader, desks, patient, visitor):
    anybody = visitor()
    for name in ("home", "accounts:login", "patients:handed-in"):
        reader.read(anybody, name)
    reader.read(anybody, "accounts:login", sent={"username": "x", "password": "y"})
    reader.read(anybody, "patients:handed-in", sent={"code": "12"}, status=422)
    reader.read(anybody, "patients:handed-in", sent={"file": b"{}", "code": "ab" * 16}, status=422)
    grant, client = yes(patient), visitor(patient.account)
    desks.follow()
    receipt = client.get(f"/consent/{grant.pk}/receipt.json").content
    reader.read(anybody, "patients:handed-in", sent={"file": receipt, "code": "ab" * 16}, status=422)
    answer = anybody.post("/withdraw/", {"file": io.BytesIO(receipt), "code": bytes(grant.code).hex()})
    done = answer["location"].strip("/").split("/")[-1]
    reader.read(anybody, "patients:handed-in-done", done)
    desks.follow()
    reader.read(anybody, "patients:handed-in-done", done)
    for name in ("accounts:password", "accounts:password-changed"):
        reader.read(client, name)
    reader.read(client, "accounts:password", sent={"old_password": "x", "new_password1": "a", "new_password2": "b"})
    reader.read(client, "patients:withdraw-study", grant.pk, grant.pk, status=404)
    for _ in range(11):
        anybody.post("/withdraw/", {"text": "{}", "code": "ab" * 16})
    reader.read(anybody, "patients:handed-in", sent={"text": "{}", "code": "ab" * 16}, status=429)
    assert "Sie entscheiden" in client.post("/accounts/logout/", follow=True).content.decode()


def newer_text(reader, desks, patient, visitor, newer):
    for version in newer():
        desks.ledger.submit("steward", "consents:PublishText", texts.publication(version))
        desks.follow()
        if not patient.grants.exists():
            yes(patient)
    client = visitor(patient.account)
    reader.read(client, "patients:news")
    reader.read(client, "patients:home")
