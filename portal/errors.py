"""The portal's errors, and the one place where an error becomes an HTTP answer."""

from __future__ import annotations

from http import HTTPStatus

from consent.errors import CovenantError

UNAVAILABLE = frozenset({"portal.ledger-unavailable", "portal.broker-unavailable"})
NOT_FOUND = frozenset({"portal.not-found"})


class PortalError(CovenantError):
    """The base of every error of the portal package."""


class ConfigurationError(PortalError):
    """A node's settings file that cannot be used: `config.missing`, `config.unreadable`, `config.invalid`,
    `config.other-role`.
    """


class LedgerUnavailable(PortalError):
    """`portal.ledger-unavailable`: nothing was decided; what was asked is kept and sent again, or can be sent again."""


class TooMany(PortalError):
    """`portal.too-many`: asked too often; `retry_after` in its context: seconds until it may be asked again."""


def http_status(error: CovenantError) -> HTTPStatus:
    """The status of the page or problem+json that tells of `error`: 503, 404, 429, or 422 for every other refusal."""
    if isinstance(error, TooMany):
        return HTTPStatus.TOO_MANY_REQUESTS
    if error.code in UNAVAILABLE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.code in NOT_FOUND:
        return HTTPStatus.NOT_FOUND
    return HTTPStatus.UNPROCESSABLE_ENTITY


def sentence(error: CovenantError) -> str:
    """What went wrong as a whole sentence, for a page."""
    return f"{error.message[0].upper()}{error.message[1:]}."


def problem(error: CovenantError) -> dict[str, object]:
    """`error` as an RFC 9457 problem. The context stays out: it is for the log, not for whoever asks."""
    status = http_status(error)
    return {
        "type": f"urn:covenant:{error.code}",
        "title": status.phrase,
        "status": int(status),
        "detail": error.message,
    }
