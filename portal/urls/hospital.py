"""A hospital's pages: its patients, and its stewards."""

from __future__ import annotations

from portal.urls import domain, shared

urlpatterns = [*shared, *domain("", "patients")]
handler400 = "portal.accounts.views.bad_request"
