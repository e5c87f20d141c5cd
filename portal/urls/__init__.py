"""The addresses of a node's pages: one list a role."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from portal.accounts import views


def domain(prefix: str, app: str) -> list[URLPattern | URLResolver]:
    """The pages of `app` below `prefix`."""
    module = f"portal.{app}.urls"
    if find_spec(f"portal.{app}") is None or find_spec(module) is None:
        return []
    return [path(prefix, include(module))]


shared: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    *domain("accounts/", "accounts"),
    *domain("catalogue/", "catalogue"),
    *domain("access/", "access"),
    *domain("studies/", "studies"),
    *domain("governance/", "governance"),
    *domain("audit/", "audit"),
]
