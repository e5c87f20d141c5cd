"""Numbers that are kept as text, written as the page's language writes them."""

from __future__ import annotations

from django import template
from django.utils.formats import get_format

register = template.Library()


@register.filter
def number(text: str) -> str:
    """`0.123` as 0,123 where a comma is written."""
    return str(text).replace(".", str(get_format("DECIMAL_SEPARATOR")))
