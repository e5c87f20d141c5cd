"""Signing in and out, the way to each persona's first page, and the front door."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.core.exceptions import DisallowedHost
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse, reverse_lazy

from portal import language
from portal.accounts.forms import NewPasswordForm, SignInForm
from portal.accounts.models import Role
from portal.errors import TooMany
from portal.limits import Limit, address
from portal.middleware import refused

WRONG = Limit("sign-in", 60, 900)
FIRST_PAGE = {
    Role.PATIENT: "patients:home",
    Role.PROXY: "patients:acting",
    Role.STEWARD: "desk:home",
    Role.RESEARCHER: "catalogue:home",
    Role.AUDITOR: "audit:home",
}


def home(request: HttpRequest) -> HttpResponse:
    """The front door; people who are signed in go straight to their first page."""
    if request.user.is_authenticated and (address := first_page(request.user.role)):
        return redirect(address)
    return render(request, "home.html")


def first_page(role: str) -> str | None:
    try:
        return reverse(FIRST_PAGE[Role(role)])
    except (NoReverseMatch, ValueError):
        return None


class SignIn(LoginView):
    """Wrong tries are limited twice: by name and address (axes), and by address over all names."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        WRONG.check(address(request))
        return super().post(request, *args, **kwargs)

    def form_invalid(self, form: BaseForm) -> HttpResponse:
        WRONG.count(address(self.request))
        return super().form_invalid(form)


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """The answer to one more try after five wrong ones for a name from an address."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    return refused(request, TooMany("portal.too-many", "there were too many wrong tries", retry_after=seconds))


class SignOut(LogoutView):
    """The session ends, and with it what it remembers: but the next page speaks the language of this one."""

    http_method_names = ["post", "options"]

    def get_success_url(self) -> str:
        return f"{super().get_success_url()}{language.kept(self.request)}"


class NewPassword(PasswordChangeView):
    template_name = "accounts/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("accounts:password-changed")


def password_changed(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/password_changed.html")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    elsewhere = isinstance(exception, DisallowedHost)  # a name of this machine that the node does not answer to
    return render(request, "errors/400.html", {"elsewhere": elsewhere}, status=400)
