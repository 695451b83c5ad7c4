"""JSON that engines write → its members, where no engine could read others."""

from __future__ import annotations

import json
from typing import Any

from luggage.seal.tarred import TarError


def parsed(data: bytes, name: str) -> Any:
    """The value in the file of this name; raises TarError."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise TarError(f"{name!a}: not JSON: {str(error)!a}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse names that differ in their case alone: to engines they are the same, the last wins."""
    found = dict(pairs)
    if len({name.casefold() for name in found}) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def document(data: bytes, name: str) -> dict[str, Any]:
    """The object in the file of this name; raises TarError."""
    return members(parsed(data, name), name)


def members(value: object, name: str) -> dict[str, Any]:
    """The value, which is an object; raises TarError."""
    if not isinstance(value, dict):
        raise TarError(f"{name!a}: not as engines write it")
    return value


def items(value: object, name: str) -> list[Any]:
    """The value, which is an array; raises TarError."""
    if not isinstance(value, list):
        raise TarError(f"{name!a}: not as engines write it")
    return value
