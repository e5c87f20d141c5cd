"""The one form of a withdrawal without an account."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consent.encoding import from_base64url
from consent.errors import CanonicalRefused
from portal.forms import Form

LARGEST = 65_536  # bytes; a receipt has 4 kB
CODE = re.compile(r"[0-9a-f]{32}")
SIGNATURE = range(64, 73)  # bytes of a DER signature of P-256, but for one in millions


class HandInForm(Form):
    """A receipt (file or text), and the withdrawal code or the signature of whoever holds their own key.

    Cleaned: `receipt` (bytes), `code` (16 bytes) or None, `signature` (bytes) or None.
    """

    file = forms.FileField(label=_("Your receipt file"), required=False, help_text=_("It is called receipt.json."))
    text = forms.CharField(
        label=_("Or paste what stands in it"),
        required=False,
        max_length=LARGEST,
        widget=forms.Textarea({"rows": 4, "spellcheck": "false"}),
    )
    code = forms.CharField(
        label=_("Your withdrawal code"),
        max_length=200,
        help_text=_(
            "32 letters and digits. It stands on your receipt page and in the receipt file, after "
            "withdrawal_code. If you keep your own key, put your signature here instead."
        ),
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Type the withdrawal code from your receipt.")},
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        file = data.get("file")
        if file and file.size > LARGEST:
            self.add_error("file", gettext("This file is too big to be a receipt. Choose the file receipt.json."))
            return data
        data["receipt"] = file.read() if file else data.get("text", "").strip().encode()
        if not data["receipt"] and "text" not in self.errors:
            self.add_error("file", gettext("Choose your receipt file, or paste what stands in it."))
        data["signature"] = None
        if "code" in data:
            data["code"], data["signature"] = self.proof("".join(data["code"].split()))
        return data

    def proof(self, typed: str) -> tuple[bytes | None, bytes | None]:
        """What was typed as a code or a signature."""
        plain = typed.replace("-", "").lower()
        if CODE.fullmatch(plain):
            return bytes.fromhex(plain), None
        try:
            signature = from_base64url(typed)
        except CanonicalRefused:
            signature = b""
        if len(signature) in SIGNATURE:
            return None, signature
        self.add_error("code", gettext("The code has 32 letters and digits: 0 to 9 and a to f. Check it once more."))
        return None, None
