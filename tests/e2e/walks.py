"""What each persona does in a real browser, as functions of an address and an account.

with browser(chromium) as page:
    sign_in(page, hub, "researcher", password)
    look_around(page, hub, RESEARCHER)
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from re import Pattern
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
STUDIES = ("/studies/", "/studies/left/", "/studies/budget/", "/studies/pause/")
STEWARD = ("/desk/", "/catalogue/", "/access/", *STUDIES, "/governance/", "/withdrawals/", "/accounts/password/")
RESEARCHER = ("/catalogue/", "/access/", "/access/new/", "/studies/")
AUDITOR = ("/audit/", "/audit/refused/", "/audit/verify/", "/catalogue/", "/studies/")
PATIENT = ("/",)
PHONE = {"width": 380, "height": 800}


@contextmanager
def browser(chromium: str) -> Iterator[Page]:
    """A page of a fresh headless Chromium at the path `chromium`; `*.localhost` is this machine."""
    with sync_playwright() as playwright:
        args = [*FLAGS, "--host-resolver-rules=MAP *.localhost 127.0.0.1"]
        opened = playwright.chromium.launch(executable_path=chromium, args=args)
        try:
            yield opened.new_page()
        finally:
            opened.close()


def sign_in(page: Page, base: str, username: str, password: str) -> None:
    page.goto(f"{base}/accounts/login/")
    page.get_by_label("Your sign-in name").fill(username)
    page.get_by_label("Your password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()


CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary"
TABBING = """wanted => {
  const controls = [...document.querySelectorAll(wanted)], named = one => one.outerHTML.slice(0, 160);
  const group = one => controls.find(({name, form}) => name === one.name && form === one.form);
  const stop = one => one.type === 'radio' ? group(one) : one;
  const open = one => one.isConnected && one.checkVisibility({visibilityProperty: true}) && !one.disabled;
  const reached = new Set(), unseen = new Set();
  document.addEventListener('focusin', ({target}) => {
    const {outlineStyle, outlineWidth} = getComputedStyle(target);
    reached.add(stop(target));
    if (outlineStyle === 'none' || parseFloat(outlineWidth) === 0) unseen.add(named(target));
  });
  window.left = () => controls.filter(one => open(one) && one === stop(one) && !reached.has(one));
  window.tabbed = () => [window.left().map(named), [...unseen]];
  return window.left().length;
}"""


def tab_through(page: Page) -> None:
    """The Tab key alone leads to every control of this page, and each is seen to have the focus."""
    stops = int(page.evaluate(TABBING, CONTROLS))
    for number in range(2 * stops + 20):  # a field for a date has several stops; the walk may begin in the middle
        page.keyboard.press("Tab")
        if number % 10 == 9 and not page.evaluate("window.left().length"):
            break
    left, unseen = page.evaluate("window.tabbed()")
    assert not left, f"{page.url}: no Tab leads to {left}"
    assert not unseen, f"{page.url}: nothing shows the focus on {unseen}"


def check(page: Page) -> None:
    """This page has no accessibility finding, needs no mouse, and does not scroll sideways on a phone."""
    found = [(one["id"], one["nodes"][0]["html"][:160]) for one in Axe().run(page).response["violations"]]
    assert not found, f"{page.url}: {found}"
    tab_through(page)
    before = page.viewport_size
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{page.url} is {wider} px wider than a phone"
    if before:
        page.set_viewport_size(before)


SHOWN = "one => getComputedStyle(one).outlineStyle !== 'none' && parseFloat(getComputedStyle(one).outlineWidth) > 0"
NAMED = "document.activeElement ? document.activeElement.name || '' : ''"


def reach(page: Page, target: Locator) -> None:
    """Bring the focus to `target` with the Tab key alone; where it is must be seen."""
    for _ in range(120):
        if target.evaluate("one => one === document.activeElement"):
            assert target.evaluate(SHOWN), f"{page.url}: nothing shows that {target} has the focus"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{page.url}: no Tab leads to {target}")


def strike(page: Page, kind: Literal["link", "button"], name: str | Pattern[str], heading: str) -> None:
    """Follow a link or press a button by keyboard, and check the page that follows, which has this heading."""
    reach(page, page.get_by_role(kind, name=name).first)
    with page.expect_navigation():  # the page before may have the same heading
        page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name=heading).wait_for()
    check(page)


def choose(page: Page, name: str, value: str | None = None) -> None:
    """Tick the box `name`, or choose `value` (None: the first) among the answers to it, by keyboard."""
    for _ in range(120):
        if page.evaluate(NAMED) == name:
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    for _ in range(20):
        if value is None or page.evaluate("document.activeElement.value") == value:
            break
        page.keyboard.press("ArrowDown")
    focused = page.locator(f"[name='{name}']:focus")
    assert focused.is_checked() and focused.evaluate(SHOWN), f"{page.url}: {name}"


def look_around(page: Page, base: str, paths: Sequence[str]) -> None:
    """Open each of `paths`, and check it."""
    for path in paths:
        answer = page.goto(base + path)
        assert answer is not None and answer.status == 200, f"{path}: {answer and answer.status}"
        check(page)


def ask_for_access(page: Page, hub: str, protocol: str) -> str:
    """The researcher asks for every data set, for heart disease; returns the request's id."""
    page.goto(f"{hub}/access/new/")
    for box in page.locator("input[name=datasets]").all():
        box.check()
    page.get_by_label("Kind of research").select_option("DUO:0000007")
    page.locator("input[name=diseases][value='MONDO:0005267']").check()
    page.get_by_label("Until", exact=True).fill(str(datetime.date.today() + datetime.timedelta(days=90)))
    page.get_by_label("Protocol", exact=True).fill(protocol)
    asked = page.locator("input[name=request]").input_value()
    page.get_by_role("button", name="Ask for access").click()
    page.get_by_text("Recorded. Each hospital decides").wait_for()
    check(page)
    return asked


def open_when_there(page: Page, address: str, selector: str) -> Locator:
    """The first of `selector` on the page at `address`, opened again until this node has followed the ledger so far."""
    found = page.locator(selector).first
    for _ in range(240):
        page.goto(address)
        if found.count():
            return found
        page.wait_for_timeout(250)
    raise AssertionError(f"{address} never showed {selector}")


def permit(page: Page, hospital: str, request: str, reason: str) -> None:
    """The steward opens the request, reads it, and permits it."""
    open_when_there(page, f"{hospital}/access/", f"a[href*='{request}']").click()
    check(page)
    page.get_by_role("link", name="Decide").click()
    page.get_by_label("Permit").check()
    page.get_by_label("Reason").fill(reason)
    check(page)
    page.get_by_role("button", name="Send the decision").click()
    page.get_by_text("Recorded. The researcher sees the decision").wait_for()


def plan(page: Page, hub: str, request: str, *, title: str, epsilon: str, rounds: int) -> str:
    """The researcher plans a study, sees its price, and proposes it; returns the study's id."""
    open_when_there(page, f"{hub}/access/{request}/", "a[href*='/studies/new/']").click()
    page.get_by_label("Title", exact=True).fill(title)
    page.get_by_label("Epsilon", exact=True).fill(epsilon)
    page.get_by_label("Rounds", exact=True).fill(str(rounds))
    study = page.locator("input[name=study]").input_value()
    check(page)
    page.get_by_role("button", name="Show what it costs").click()
    heading = page.get_by_role("heading", level=1)
    assert heading.inner_text() == "Check the plan", page.locator(".summary").inner_text()
    check(page)
    page.get_by_role("button", name="Propose this plan").click()
    page.get_by_text("Recorded. Each hospital now decides").wait_for()
    return study


def approve(page: Page, hospital: str, study: str) -> None:
    """The steward reads plan and price and approves exactly that plan."""
    open_when_there(page, f"{hospital}/studies/{study}/", "a[href$='/approve/']").click()
    check(page)
    page.get_by_role("button", name="Approve exactly this plan").click()
    page.get_by_text("Recorded. This hospital's budget is reserved").wait_for()
    check(page)


def start(page: Page, hub: str, study: str) -> None:
    """Every hospital has approved: the researcher presses the button that the open page then shows by itself."""
    page.goto(f"{hub}/studies/{study}/")
    page.get_by_role("link", name="Start the study").click()
    check(page)
    page.get_by_role("button", name="Start it").click()
    page.get_by_text("has been asked to run it").wait_for()


def watch(page: Page, hub: str, study: str, seconds: float) -> None:
    """The study page, left open, shows the release by itself."""
    page.goto(f"{hub}/studies/{study}/")
    page.get_by_role("heading", name="Released files").wait_for(timeout=seconds * 1000)
    check(page)


def authenticator(page: Page) -> None:
    """Give the browser a passkey device of its own (WebDriver's virtual authenticator), which always knows its user."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    device = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options = {**device, "isUserVerified": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def keep(page: Page, link: str | Pattern[str], file: Path) -> Path:
    """Follow the download `link` and save what the browser got as `file`."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(file)
    return file
