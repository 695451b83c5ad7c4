"""A setting's text → the address of the service."""

from __future__ import annotations

from urllib.parse import urlsplit


def checked(text: str) -> str:
    """`text` without a last slash; raises ValueError, which says what is expected."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
        parts = urlsplit("")
    if not good or parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an http:// or https:// address without a user, a query or a fragment")
    return text.rstrip("/")
