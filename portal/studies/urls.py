from __future__ import annotations

from django.urls import path

from portal.studies import hospital_views, views

app_name = "studies"
urlpatterns = [
    path("", views.home, name="home"),
    path("left/", hospital_views.left, name="left"),
    path("budget/", hospital_views.account, name="budget"),
    path("pause/", hospital_views.pause, name="pause"),
    path("new/<uuid:pk>/", views.new, name="new"),
    path("<uuid:pk>/", views.detail, name="study"),
    path("<uuid:pk>/approve/", views.approve, name="approve"),
    path("<uuid:pk>/start/", views.start, name="start"),
    path("<uuid:pk>/stop/", views.stop, name="stop"),
    path("<uuid:pk>/restart/", views.restart, name="restart"),
    path("<uuid:pk>/results/", hospital_views.receive, name="receive"),
    path("<uuid:pk>/close/", views.close_out, name="close-out"),
    path("<uuid:pk>/settle/", hospital_views.settle, name="settle"),
    path("<uuid:pk>/<slug:name>/", views.download, name="file"),
]
