from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm


class SignInForm(AuthenticationForm):
    """Username and password; the same words whatever was wrong."""

    error_messages = {
        "invalid_login": "That name and password do not fit together. Check both and try again.",
        "inactive": "That name and password do not fit together. Check both and try again.",
    }
    username = forms.CharField(
        label="Your sign-in name", max_length=64, widget=forms.TextInput({"autocomplete": "username"})
    )
    password = forms.CharField(
        label="Your password", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )


class NewPasswordForm(PasswordChangeForm):
    """The old password, and the new one twice."""
