"""Patients, researcher, stewards and auditor in the served demo, in a browser; what they take away is checked offline.

Every page on the way has no accessibility finding and fits a phone (`walks.check`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from ledger.verify import verify
from tests.e2e import walks
from tests.support.demo import Demo, run

pytestmark = [pytest.mark.demo, pytest.mark.browser, pytest.mark.timeout(900)]
SITES = ("hub", "cleveland", "hungary", "switzerland", "longbeach")  # on the demo's ports, in this order
HUB, CLEVELAND, HOSPITALS = SITES[0], SITES[1], SITES[1:]


@dataclass(frozen=True, slots=True)
class House:
    """The served demo as a visitor with a browser meets it."""

    demo: Demo
    page: Page

    def address(self, site: str) -> str:
        return f"http://{site}.localhost:{self.demo.port + SITES.index(site)}"

    def enter(self, site: str, username: str) -> str:
        """Sign in, and check the page one arrives at; returns the site's address."""
        people = json.loads((self.demo.directory / "personas.json").read_text())
        walks.sign_in(self.page, self.address(site), username, people[site][username])
        walks.check(self.page)
        return self.address(site)

    def follow(self, link: str) -> None:
        """Click the link, and check where it leads."""
        self.page.get_by_role("link", name=link, exact=True).first.click()
        self.page.wait_for_load_state()
        walks.check(self.page)

    def press(self, button: str, heading: str) -> None:
        """Press the button; a page with `heading` comes, which is checked."""
        self.page.get_by_role("button", name=button, exact=True).click()
        self.page.get_by_role("heading", level=1, name=re.compile(heading)).wait_for()
        walks.check(self.page)

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.demo.out / "report.json").read_text())
        return found

    @property
    def genesis(self) -> str:
        return (self.demo.out / "genesis.sha256").read_text().strip()

    def export(self, file: Path) -> Path:
        """The ledger as it is now, written by the command line."""
        exported = run("ledger", "export", str(file), "--dir", str(self.demo.directory))
        assert exported.returncode == 0, exported.stderr
        return file

    def accepts(self, kind: str, file: Path, ledger: Path) -> dict[str, Any]:
        """What `covenant <kind> verify` says about the file; it must accept it."""
        said = run(kind, "verify", str(file), "--ledger", str(ledger), "--genesis", self.genesis, "--json")
        assert said.returncode == 0, said.stdout + said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return found


@pytest.fixture
def house(served: Demo, addresses: list[str], program: Callable[..., str]) -> Iterator[House]:
    with walks.browser(program("chromium")) as page:
        page.on("request", lambda request: addresses.append(request.url))
        yield House(served, page)


@pytest.mark.every_ledger
def test_a_patient_who_withdrew_takes_home_what_proves_it(house: House, tmp_path: Path) -> None:
    page = house.page
    house.enter(CLEVELAND, "patient2")
    page.get_by_text("Stopped and recorded", exact=True).first.wait_for()
    page.get_by_text("With your own passkey").first.wait_for()
    page.get_by_role("link", name="Look at it").first.click()
    page.get_by_role("heading", name="You have stopped this consent").wait_for()
    walks.check(page)
    answer = walks.keep(page, "Keep the hospital's signed answer", tmp_path / "answer.json").read_text()
    house.follow("The receipt")
    receipt = walks.keep(page, "Keep my receipt file", tmp_path / "receipt.json")
    assert json.loads(answer)["acknowledgement"]["commitment"] in page.content()

    house.follow("Where my data was used")
    about = house.report["withdrawal"]
    proofs = {}
    for number, state, claim in ((about["round_in"], "Used", "present"), (about["round_out"], "Not used", "absent")):
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=str(number), exact=True))
        row.get_by_text(state, exact=True).wait_for()
        proofs[claim] = walks.keep(page, re.compile(rf"the proof for round {number}$"), tmp_path / f"{claim}.json")

    ledger = house.export(tmp_path / "ledger.blocks")
    house.accepts("receipt", receipt, ledger)
    for claim, file in proofs.items():
        assert json.loads(file.read_text())["claim"] == claim
        house.accepts("proof", file, ledger)


def test_a_patient_allows_less_stops_agrees_again_and_stops_by_code(house: House, tmp_path: Path) -> None:
    page = house.page
    house.enter(CLEVELAND, "patient1")
    page.get_by_text("You said yes.").wait_for()

    house.follow("Allow less")
    house.press("Go on", "For how long may it be used?")
    page.get_by_label("Half a year").check()
    house.press("Go on", "Check your answers")
    house.press("Yes, allow only this", "Your yes is recorded|We are recording your yes")
    page.get_by_role("heading", name="Your yes is recorded").wait_for()

    house.follow("Stop: withdraw my consent")
    for heading in ("What stops", "What cannot be undone"):
        page.get_by_role("heading", name=heading).wait_for()
    house.press("Yes, stop now", "You have stopped this consent")
    page.get_by_role("link", name="Keep the hospital's signed answer").wait_for()
    page.get_by_text("Stopped and recorded").wait_for()

    house.follow("My consent")
    house.follow("Read about saying yes")
    house.follow("Deutsch")
    page.get_by_text("Worum geht es?").wait_for()
    house.follow("English")
    for answer in ("It stays in this hospital.", "You get the same care as before.", "Yes, from then on"):
        page.get_by_label(answer).check()
    page.get_by_label("I have read this").check()
    house.press("Go on", "What may your record be used for?")
    page.get_by_label("Only to learn about heart disease").check()
    house.press("Go on", "For how long may it be used?")
    page.get_by_label("1 year").check()
    house.press("Go on", "Check your answers")
    house.press("Yes, I agree", "Your yes is recorded|We are recording your yes")
    page.get_by_role("heading", name="Your yes is recorded").wait_for()
    house.follow("The receipt")
    receipt = walks.keep(page, "Keep my receipt file", tmp_path / "receipt.json")
    code = page.locator(".withdrawal-code").inner_text()
    walks.sign_out(page)

    elsewhere = house.address("hungary")  # any hospital of the group will do
    walks.look_around(page, house.address("hub"), ["/withdraw/"])  # so will the institute
    walks.look_around(page, elsewhere, ["/withdraw/"])
    page.get_by_label("Your receipt file").set_input_files(receipt)
    page.get_by_label("Your withdrawal code").fill("0" * 32)
    house.press("Stop: withdraw this consent", "Withdraw with a code")
    page.get_by_role("alert").wait_for()
    page.get_by_label("Your receipt file").set_input_files(receipt)
    page.get_by_label("Your withdrawal code").fill(code)
    house.press("Stop: withdraw this consent", "We have your withdrawal")
    walks.keep(page, "Keep the signed answer", tmp_path / "answer.json")
    page.get_by_text("It is recorded in the shared book").wait_for()

    house.enter(CLEVELAND, "patient1")
    page.get_by_text("There is no yes from you now.").wait_for()


def test_a_researcher_reads_the_finished_study_and_takes_its_files(house: House, tmp_path: Path) -> None:
    page = house.page
    hub = house.enter(HUB, "researcher")
    walks.look_around(page, hub, walks.RESEARCHER)
    datasets = {f"/catalogue/{one['msp']}/heart/1/" for one in house.report["hospitals"]}
    for path in datasets:
        walks.look_around(page, hub, [path])
        assert page.get_by_role("row").filter(has_text="standard deviation").count() == 1

    study = house.report["study"]["id"]
    walks.look_around(page, hub, [f"/studies/{study}/"])
    assert page.get_by_role("img").filter(has_text="The table below holds the same figures.").is_visible()
    results = page.get_by_role("region", name="Accuracy").get_by_role("row")
    assert results.filter(has_text="not released").filter(has_text="it declined").count() == 1
    assert results.filter(has_text=" %").count() == 3
    release = verify(house.export(tmp_path / "ledger.blocks"), house.genesis).state(f"studies/release/{study}")
    for link, name in (("Model (safetensors)", "weights"), ("Certificate (JSON)", "certificate")):
        file = walks.keep(page, link, tmp_path / name)
        assert sha256(file.read_bytes()).hexdigest() == release[name]


@pytest.mark.every_ledger
def test_a_second_study_from_the_request_to_the_release_through_the_pages(house: House) -> None:
    page = house.page
    hub = house.enter(HUB, "researcher")
    asked = walks.ask_for_access(page, hub, "Find out whether two rounds are enough.")
    hospitals = [house.enter(site, "steward") for site in HOSPITALS]  # another host, another cookie: all stay signed in
    for hospital in hospitals:
        walks.permit(page, hospital, asked, "Approved by our committee.")
    study = walks.plan(page, hub, asked, title="Are two rounds enough?", epsilon="2", rounds=2)
    for hospital in hospitals:
        walks.approve(page, hospital, study)
    walks.start(page, hub, study)
    walks.watch(page, hub, study, seconds=400)
    rounds = page.get_by_role("region", name="Table of rounds")
    page.get_by_text("The same as a table").click()
    assert rounds.get_by_role("row").count() >= 1 + 2 + 1  # head, two rounds, one test


def test_a_steward_sees_what_left_and_pauses_the_hospital(house: House) -> None:
    page = house.page
    hospital = house.enter(CLEVELAND, "steward")
    walks.look_around(page, hospital, [*walks.STEWARD, "/catalogue/ClevelandMSP/heart/1/"])
    page.goto(f"{hospital}/studies/left/")
    assert page.get_by_role("region", name="Results that left").get_by_role("row").count() > house.demo.rounds
    page.goto(f"{hospital}/studies/budget/")
    page.get_by_role("rowheader", name="Cap").wait_for()
    page.goto(f"{hospital}/catalogue/")
    enrolled = page.get_by_role("term").filter(has_text="Patients enrolled").locator("+ dd")
    assert enrolled.inner_text() == "304"

    page.goto(f"{hospital}/studies/pause/")
    for button, state in (("Pause now", "paused"), ("Take part again", "taking part")):
        page.get_by_role("button", name=button).click()
        page.get_by_text("Recorded. This hospital").wait_for()
        page.get_by_text(state, exact=True).wait_for()
        walks.check(page)


@pytest.mark.every_ledger
def test_an_auditor_takes_the_whole_ledger_home_and_verifies_it(house: House, tmp_path: Path) -> None:
    page = house.page
    hub = house.enter(HUB, "auditor")
    walks.look_around(page, hub, walks.AUDITOR)
    walks.look_around(page, hub, [f"/studies/{house.report['study']['id']}/"])
    page.goto(f"{hub}/audit/")
    height = int(page.get_by_text("blocks, the newest of").inner_text().split()[0])
    assert house.genesis in page.content()
    file = walks.keep(page, "Download the whole ledger", tmp_path / "ledger.blocks")
    verified = run("ledger", "verify", str(file), "--genesis", house.genesis, "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["height"] >= height >= house.report["ledger"]["height"]
