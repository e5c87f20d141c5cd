"""The institute's one address for patients. A hospital's stands in portal.patients.urls, under the same path."""

from __future__ import annotations

from django.urls import path

from portal.withdrawals import views

app_name = "withdrawals"
urlpatterns = [path("withdraw/", views.hand_in, name="hand-in")]
