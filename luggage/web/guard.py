"""A request's method and headers → why it is refused: a page of another site may have sent it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

# What a form of any site can send without asking first (Fetch standard, CORS-safelisted).
_OF_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "")

Refusal = tuple[int, str]  # a status, and the reason


def changes(method: str, headers: Mapping[str, str]) -> Refusal | None:
    """Why a request that changes something is refused. `headers` have their names in lower case.

    curl and its like pass. A browser tells where a request comes from; and it asks before it sends
    a PUT, or a POST with another type than a form's, to another site: nobody answers that here.
    """
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return 403, "another site's page must not change anything here"
    origin = headers.get("origin")
    if origin is not None:
        host = headers.get("host", "")
        if not host or _place(origin) != host.lower():
            return 403, "another site's page must not change anything here"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "POST" and kind in _OF_FORMS:
        return 415, "PUT it, or POST it as application/json"
    return None


def named(host: str | None, names: Collection[str] = ()) -> Refusal | None:
    """Why the name in a Host header is refused: a site may let its own name point here, and its
    page then reads what stands here (DNS rebinding).

    An address, localhost, a name without a dot and one of `names` pass: no site has such a name. So
    does a request without the header, which no browser sends.
    """
    if host is None:
        return None
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.removeprefix("[").removesuffix("]").lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        known = "." not in name or name.endswith(".localhost") or name in names
        return None if known else (421, "ask by an address, or from this machine by localhost")
    return None


def _place(origin: str) -> str:
    """The host and port of an origin; none where it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
