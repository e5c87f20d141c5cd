from __future__ import annotations

from django.urls import path

from portal.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.home, name="home"),
    path("refused/", views.refused, name="refused"),
    path("verify/", views.verify, name="verify"),
    path("export/", views.download, name="export"),
]
