from __future__ import annotations

from django.urls import path

from portal.catalogue import views

app_name = "catalogue"
urlpatterns = [
    path("", views.home, name="home"),
    path("register/", views.register, name="register"),
    path("account/", views.account, name="account"),
    path("<slug:owner>/<slug:slug>/<int:version>/", views.detail, name="dataset"),
    path("<slug:owner>/<slug:slug>/<int:version>/count/", views.count, name="count"),
    path("<slug:owner>/<slug:slug>/<int:version>/retire/", views.retire, name="retire"),
]
