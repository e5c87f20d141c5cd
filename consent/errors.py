"""The errors of Covenant: every one has a stable code, a plain message that says what to do, and a context.

>>> str(ConsentError("duo.unknown", "this is not a term of the Data Use Ontology", term="DUO:9999999"))
'duo.unknown: this is not a term of the Data Use Ontology'
"""

from __future__ import annotations


class CovenantError(Exception):
    """The base of every error that leaves a public function of Covenant.

    `code`: stable, `<area>.<what>`, never reworded. `message`: for people, plain, says what to do.
    `context`: names and values that help to find the cause; never a secret, never a patient's data.
    """

    def __init__(self, code: str, message: str, **context: object) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.context = context

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.message, self.context)


class ConsentError(CovenantError):
    """The base of every error of the consent package."""


class CanonicalRefused(ConsentError):
    """A value or bytes outside canonical JSON: `canonical.invalid`, `canonical.not-canonical`."""


class GrantRefused(ConsentError):
    """A statement, key, signature, code or change of status that does not stand: codes `grant.*`, `periods.*`."""


class ProofRefused(ConsentError):
    """A proof or receipt that does not show what it claims: codes `proof.*`, `receipt.*`."""


def _rebuild(kind: type[CovenantError], code: str, message: str, context: dict[str, object]) -> CovenantError:
    """An error that crossed a process boundary (Celery, multiprocessing), as it was."""
    error = kind.__new__(kind)
    CovenantError.__init__(error, code, message, **context)
    return error
