"""Whose tries are counted together, whatever the request says of where it comes from."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from django.test import RequestFactory
from msgspec.structs import replace

from portal import limits


@pytest.mark.parametrize(
    ("remote", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("", "0.0.0.0"),
        ("somewhere", "0.0.0.0"),
    ],
)
def test_it_is_always_an_address(remote, counted):
    assert limits.address(RequestFactory().get("/", REMOTE_ADDR=remote)) == str(ip_address(counted)) == counted


@pytest.mark.parametrize(("https", "counted"), [(True, "198.51.100.9"), (False, "192.0.2.7")])
def test_a_proxys_word_counts_where_there_is_a_proxy(settings, https, counted):
    settings.NODE = replace(settings.NODE, https=https)
    said = {"REMOTE_ADDR": "192.0.2.7", "HTTP_X_FORWARDED_FOR": "203.0.113.1, 198.51.100.9"}
    assert limits.address(RequestFactory().get("/", **said)) == counted
