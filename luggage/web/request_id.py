"""What a client calls its request → the id that its log lines and its answer have."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar

HEADER = "X-Request-ID"
# Whatever else a client sends could forge a line, or be anybody's secret.
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")

# A thread that the app starts has a context of its own, and so none: it may outlive the request.
CURRENT: ContextVar[str | None] = ContextVar("luggage_request_id", default=None)


def accepted(given: str | None) -> str:
    """`given`, where it is up to 64 letters, digits, `.`, `_` and `-` of ASCII; else a new id."""
    if given is not None and _ACCEPTED.fullmatch(given):
        return given
    return os.urandom(16).hex()


def current() -> str | None:
    """The id of the request that this thread answers; None where it answers none."""
    return CURRENT.get()
