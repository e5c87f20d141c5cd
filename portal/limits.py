"""How often one address, or one account, may ask for something: counted in this process's memory, written nowhere.

What must always get through (a withdrawal of a consent that stands) is never counted; see portal.withdrawals.handed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from portal.errors import TooMany


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of `name` in `seconds`, for each who asks. The first one starts the time."""

    name: str
    most: int
    seconds: int

    def count(self, who: str) -> None:
        """One more by `who`; raises TooMany once there were `most`."""
        place = f"{self.name}/{who}"
        cache.add(f"{place}/until", time.time() + self.seconds, self.seconds)
        cache.add(place, 0, self.seconds)
        try:
            number = cache.incr(place)
        except ValueError:  # its time ended between the two calls
            return
        if number > self.most:
            self.check(who)

    def check(self, who: str) -> None:
        """Raises TooMany where `who` has used them up already; counts nothing."""
        if cache.get(f"{self.name}/{who}", 0) < self.most:
            return
        left = max(1, round(cache.get(f"{self.name}/{who}/until", time.time()) - time.time()))
        raise TooMany("portal.too-many", f"there were too many tries: try again in {left} seconds", retry_after=left)


def address(request: HttpRequest) -> str:
    """Whose tries are counted together: the IPv4 address, or the first of the /64 network of a household under IPv6.

    Always an address, as PostgreSQL's type for them demands; the unspecified one (0.0.0.0) where none is known.

    Behind a proxy (`https` in the node's settings) it is the last address that the proxy itself wrote down.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.NODE.https else ""
    text = forwarded.rsplit(",", 1)[-1].strip() or request.META.get("REMOTE_ADDR", "")
    try:
        found = ip_address(text)
    except ValueError:
        return "0.0.0.0"  # noqa: S104 - nothing listens there
    return str(ip_network(f"{found}/64", strict=False)[0] if isinstance(found, IPv6Address) else found)
