"""The kinds of value that arguments and records are made of, with what each may be; a refusal names the field.

All have bounds: a ledger keeps for ever what it is given.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from consent.encoding import Base64Url, Hex32
from consent.periods import Day, Month

__all__ = [
    "Base64Url",
    "Code",
    "Count",
    "Country",
    "DatasetId",
    "Day",
    "DecimalText",
    "Digest",
    "Language",
    "Month",
    "Msp",
    "Name",
    "Origin",
    "Positive",
    "RpId",
    "Seconds",
    "Signed",
    "TextId",
    "Title",
    "Unit",
    "Uuid",
    "number",
]

Digest = Hex32
Unit = Literal["patient", "image"]
Msp = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}\Z", description="an organisation's MSP id")]
Uuid = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z",
        description="a UUID in lower-case hex with dashes",
    ),
]
TextId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z", description="a consent version's id")]
DatasetId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}/[a-z0-9][a-z0-9._-]{0,62}\Z",
        description="a data set: the owner's MSP id, a slash, a lower-case name",
    ),
]
Code = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}\Z", description="a lower-case code, never free text")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z", description="a country: two letters of ISO 3166-1")]
Language = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]{2,3}(-[A-Z]{2})?(-x-child)?\Z",
        description="a language tag such as en or pt-BR, with -x-child where it is put for children",
    ),
]
Origin = Annotated[str, Meta(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?\Z", description="a web origin")]
RpId = Annotated[
    str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z", description="a WebAuthn RP id: a host name")
]
Title = Annotated[str, Meta(min_length=1, max_length=200, description="a title of at most 200 characters")]
Name = Annotated[str, Meta(pattern=r"^[ -~]{1,120}\Z", description="printable ASCII, at most 120 characters")]
Seconds = Annotated[int, Meta(ge=0, le=2**40, description="epoch seconds, UTC")]
Count = Annotated[int, Meta(ge=0, le=2**31)]
Positive = Annotated[int, Meta(ge=1, le=2**31)]
Signed = Annotated[int, Meta(ge=-(2**31), le=2**31)]
DecimalText = Annotated[
    str,
    Meta(
        pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?\Z",
        description='a plain decimal number such as "1.5": no sign, no exponent, at most 18 places',
    ),
]


def number(text: str) -> Decimal:
    """The exact value of a DecimalText."""
    return Decimal(text)
