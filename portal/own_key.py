"""A patient's key in a file of their own: made and read on their computer, by `covenant consent`, never by a node."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from portal.errors import PortalError


def create(file: Path) -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key in the new `file` (PEM, readable by its owner alone).

    Raises PortalError `own-key.exists`, `own-key.unwritable`.
    """
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise PortalError(
            "own-key.exists", f"{file} is there already: name another file, no key is ever replaced"
        ) from None
    except OSError as error:
        raise PortalError("own-key.unwritable", f"{file} cannot be written ({error.strerror}): name another") from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(pem)
    return made


def read(file: Path) -> ec.EllipticCurvePrivateKey:
    """The key in `file`; raises PortalError `own-key.unreadable`."""
    try:
        key = load_pem_private_key(content(file), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PortalError("own-key.unreadable", f"{file} is no key that covenant consent new-key wrote: name that file")
    return key


def content(file: Path) -> bytes:
    """Raises PortalError `own-key.unreadable`."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise PortalError("own-key.unreadable", f"{file} cannot be read ({error.strerror}): name another") from None
