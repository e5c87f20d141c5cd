"""A hub's pages: researchers and auditors, and one page on which anybody withdraws. No patient has an account here."""

from __future__ import annotations

from django.urls import include, path

from portal.urls import shared

urlpatterns = [*shared, path("", include("portal.withdrawals.urls"))]
handler400 = "portal.accounts.views.bad_request"
