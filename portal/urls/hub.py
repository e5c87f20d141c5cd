"""A hub's pages: researchers and auditors. Nothing here can reach a patient."""

from __future__ import annotations

from portal.urls import shared

urlpatterns = [*shared]
handler400 = "portal.accounts.views.bad_request"
