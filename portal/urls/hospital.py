"""A hospital's pages: its patients, and its stewards."""

from __future__ import annotations

from django.urls import include, path

from portal.urls import shared

urlpatterns = [*shared, path("desk/", include("portal.desk.urls")), path("", include("portal.patients.urls"))]
handler400 = "portal.accounts.views.bad_request"
