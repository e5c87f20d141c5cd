"""A person at the portal, over HTTP: logs in, opens pages, fills in forms. So the demo acts as a patient would."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from types import TracebackType
from typing import Any

import httpx

from portal.errors import PortalError

Device = Callable[[dict[str, Any]], dict[str, Any]]  # what a page asks a passkey for -> its answer


class Visitor:
    """One person's visit to one node. `host` is the node's name; this machine need not resolve `*.localhost`."""

    def __init__(self, host: str, port: int) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Host": f"{host}:{port}"},
            follow_redirects=False,
            timeout=30,
            trust_env=False,
        )

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def log_in(self, username: str, password: str) -> None:
        page = self.send("/accounts/login/", {"username": username, "password": password})
        if "sessionid" not in " ".join(self.client.cookies.keys()):
            raise PortalError("demo.login-refused", f"the portal did not let {username} in (status {page.status_code})")

    def get(self, path: str) -> httpx.Response:
        answer = self.client.get(path)
        while answer.is_redirect:
            answer = self.client.get(httpx.URL(answer.headers["location"]).raw_path.decode())
        if answer.status_code != httpx.codes.OK:
            raise PortalError("demo.page-refused", f"{path} answered with status {answer.status_code}")
        return answer

    def send(self, path: str, values: dict[str, str], device: Device | None = None) -> httpx.Response:
        """Fill in the form at `path` with `values` beside what the page itself put there, and send it.

        `device`: what answers where the page asks a passkey; PortalError `demo.no-passkey` where it asks none.
        """
        form = FormReader(self.get(path).text)
        if device is not None:
            if not form.options:
                raise PortalError("demo.no-passkey", f"{path} did not ask for the passkey")
            values = {**values, "passkey": json.dumps(device(json.loads(form.options)))}
        answer = self.client.post(path, data={**form.values, **values})
        if answer.is_redirect:
            return self.get(httpx.URL(answer.headers["location"]).raw_path.decode())
        if answer.status_code != httpx.codes.OK:
            raise PortalError("demo.form-refused", f"{path} answered the form with status {answer.status_code}")
        return answer


class FormReader(HTMLParser):
    """The hidden inputs of a page, the CSRF token among them, and what a form of it asks a passkey for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.options = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        if tag == "form":
            self.options = fields.get("data-options") or self.options
        if tag == "input" and fields.get("type") == "hidden" and fields.get("name"):
            self.values[str(fields["name"])] = fields.get("value") or ""
