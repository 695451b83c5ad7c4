"""What a client calls its request → the id that its log lines and its answer have."""

from __future__ import annotations

import os
import random
import re
from contextvars import ContextVar

HEADER = "X-Request-ID"
# Whatever else a client sends could forge a line, or be anybody's secret.
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")

# A thread that the app starts has a context of its own, and so none: it may outlive the request.
CURRENT: ContextVar[str | None] = ContextVar("luggage_request_id", default=None)

# Ids need to be unlike, not secret: the kernel, which would be asked for each, is asked once in
# each process. The numbers of the module itself may be anybody's, who seeds them as they like.
_numbers = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_numbers.seed)


def accepted(given: str | None) -> str:
    """`given`, where it is up to 64 letters, digits, `.`, `_` and `-` of ASCII; else a new id."""
    if given is not None and _ACCEPTED.fullmatch(given):
        return given
    return f"{_numbers.getrandbits(128):032x}"


def current() -> str | None:
    """The id of the request that this thread answers; None where it answers none."""
    return CURRENT.get()
