from __future__ import annotations

from django.urls import path

from portal.access import views

app_name = "access"
urlpatterns = [
    path("", views.home, name="home"),
    path("new/", views.new, name="new"),
    path("protocol/<slug:digest>/", views.protocol, name="protocol"),
    path("<uuid:pk>/", views.detail, name="request"),
    path("<uuid:pk>/<slug:slug>/<int:version>/", views.case, name="case"),
    path("<uuid:pk>/<slug:slug>/<int:version>/decide/", views.decide, name="decide"),
    path("<uuid:pk>/<slug:slug>/<int:version>/revoke/", views.revoke, name="revoke"),
]
