"""The WSGI application of this node (COVENANT_NODE names its settings file)."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402  # the settings are read above

if settings.NODE.role == "hospital":
    from portal.patients import texts

    texts.report_changed()
