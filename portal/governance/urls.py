from __future__ import annotations

from django.urls import path

from portal.governance import views

app_name = "governance"
urlpatterns = [
    path("", views.home, name="home"),
    path("propose/", views.propose, name="propose"),
    path("<uuid:pk>/", views.detail, name="proposal"),
    path("<uuid:pk>/vote/", views.vote, name="vote"),
    path("<uuid:pk>/execute/", views.execute, name="execute"),
]
