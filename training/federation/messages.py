"""What hub and site say to each other, before Flower wraps it: a request names a round, and nothing else is believed.

Purpose, plan, parameters, weights' digest: a site reads all of it from the ledger. `height` only tells the site how far
to follow the ledger before it looks.
"""

from __future__ import annotations

import re
from typing import Literal

from consent.canonical import Document

Kind = Literal["cohort", "train", "evaluate", "confirm", "describe"]
CODE = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")  # what the contracts take as a reason


class Request(Document, frozen=True, kw_only=True):
    """One question to one site. `round` and `attempt` are 0 where the question is about the study.

    `certificate`: under which digest the certificate to confirm lies with the vectors; empty for other questions.
    """

    kind: Kind
    study: str
    round: int
    attempt: int
    height: int
    certificate: str = ""


class Reply(Document, frozen=True, kw_only=True):
    """One answer. A refusal has `code` and `message` and no facts; `facts` are strings, as they stand on the ledger."""

    site: str
    facts: dict[str, str] = {}
    code: str | None = None
    message: str | None = None


def is_code(text: str) -> bool:
    """Whether `text` is a code and no free text: an attempt's reason stands on the ledger for ever."""
    return CODE.fullmatch(text) is not None
