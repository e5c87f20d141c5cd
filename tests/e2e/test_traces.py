"""What all the walks left behind: no address and no file outside a hospital holds anything of a patient's.

Read after every other walk, the last of them that of a patient who signs in at the wrong address. What is looked for:
tests.support.canaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Page

from portal.demo.layout import HOSPITALS, HUB, Layout
from tests.e2e import walks
from tests.support import canaries
from tests.support.canaries import Canary, Search
from tests.support.demo import Demo

pytestmark = [pytest.mark.demo, pytest.mark.browser, pytest.mark.timeout(900)]
NAME, PASSWORD = "zebulon.quackenbush", "sixteen-purple-otters"  # typed where they mean nothing


@pytest.fixture
def page(served: Demo, addresses: list[str], program: Callable[..., str]) -> Iterator[Page]:
    with walks.browser(program("chromium")) as opened:
        opened.on("request", lambda request: addresses.append(request.url))
        yield opened


def sought(demo: Demo) -> Search:
    typed = [Canary("name", NAME.encode()), Canary("password", PASSWORD.encode())]
    return Search([*canaries.of_hospitals(Layout(demo.directory)), *typed])


def test_a_patient_at_the_wrong_address_is_only_told_that_it_is_wrong(served: Demo, page: Page) -> None:
    layout = Layout(served.directory)
    for site in (HUB, HOSPITALS[1]):
        page.goto(f"{layout.address(site, served.port)}/accounts/login/")
        page.get_by_label("Your sign-in name").fill(NAME)
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        walks.check(page)


def test_no_file_outside_a_hospital_holds_anything_of_a_patients(served: Demo) -> None:
    assert not sought(served).places(canaries.outside(Layout(served.directory)))


def test_no_address_holds_anything_of_a_patients(served: Demo, addresses: list[str], page: Page) -> None:
    search, hub = sought(served), Layout(served.directory).address(HUB, served.port)

    def found() -> set[str]:
        return search.kinds(unquote("\n".join(addresses)).encode())

    assert any("/withdraw/" in address for address in addresses)
    assert found() == set()
    page.goto(f"{hub}/accounts/login/?next={quote(NAME)}")
    assert found() == {"name"}
