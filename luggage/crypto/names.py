"""Texts → names that follow the grammar (docs/format.md §1.2)."""

from __future__ import annotations

import re

_PLACE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
MAX_COUNT = 2**63 - 1


def is_place(text: object) -> bool:
    """Whether `text` can name a project or an environment."""
    return isinstance(text, str) and _PLACE.fullmatch(text) is not None


def is_secret(text: object) -> bool:
    """Whether `text` can name a secret."""
    return isinstance(text, str) and _SECRET.fullmatch(text) is not None


def is_count(number: object) -> bool:
    """Whether `number` can be an epoch or a serial."""
    return type(number) is int and 1 <= number <= MAX_COUNT
