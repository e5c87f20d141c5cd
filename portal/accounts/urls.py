from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.urls import path

from portal.accounts import views

app_name = "accounts"
urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", views.SignOut.as_view(), name="logout"),
    path("password/", views.NewPassword.as_view(), name="password"),
    path("password/changed/", login_required(views.password_changed), name="password-changed"),
]
