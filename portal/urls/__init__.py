"""The addresses of a node's pages: one list a role."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from portal.accounts import views

shared: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("accounts/", include("portal.accounts.urls")),
    path("catalogue/", include("portal.catalogue.urls")),
    path("access/", include("portal.access.urls")),
    path("studies/", include("portal.studies.urls")),
    path("governance/", include("portal.governance.urls")),
    path("audit/", include("portal.audit.urls")),
]
