from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.utils.translation import gettext_lazy as _

from portal.accounts.services import NAME, NAMING
from portal.forms import Named


class SignInName(forms.RegexField):
    """A name that an account may have: the rule is that of `services.create_user`."""

    def __init__(self, **options: Any) -> None:
        words = {"invalid": f"This cannot be a sign-in name: {NAMING}."}
        super().__init__(NAME, strip=True, error_messages=words, **options)
        self.widget.attrs |= {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class SignInForm(Named, AuthenticationForm):
    """Username and password; the same words whatever was wrong."""

    error_messages = {
        "invalid_login": _("That name and password do not fit together. Check both and try again."),
        "inactive": _("That name and password do not fit together. Check both and try again."),
    }
    username = forms.CharField(
        label=_("Your sign-in name"), max_length=64, widget=forms.TextInput({"autocomplete": "username"})
    )
    password = forms.CharField(
        label=_("Your password"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


class NewPasswordForm(Named, PasswordChangeForm):
    """The old password, and the new one twice."""

    old_password = forms.CharField(
        label=_("Your password now"), strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )
    new_password1 = forms.CharField(
        label=_("Your new password"),
        strip=False,
        help_text=_("At least 12 letters, digits or signs. Three or four words that nobody would guess do well."),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
    new_password2 = forms.CharField(
        label=_("Your new password once more"),
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
