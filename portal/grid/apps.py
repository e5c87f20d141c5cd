from __future__ import annotations

from django.apps import AppConfig


class GridConfig(AppConfig):
    name = "portal.grid"
    label = "grid"
