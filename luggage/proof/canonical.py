"""Members of an object ⇄ the one JSON text of them (docs/format.md, §6). Standard library alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from luggage.errors import LuggageError

MAX_BYTES = 16 * 1024 * 1024

_DIGEST = re.compile(r"[0-9a-f]{64}")


class FormError(LuggageError):
    """Bytes that are not of the form they should be; `reason` is one of docs/format.md §11."""

    subject = "file"

    def __init__(self, message: str, hint: str | None = None, *, reason: str = "") -> None:
        super().__init__(f"{self.subject}: {message}", hint)
        self.reason = reason or self.subject


def dump(members: Mapping[str, Any], error: type[FormError]) -> bytes:
    """The one encoding of `members`; raises `error` where it is too long."""
    # Python compares texts by code point, and escapes as §6 says.
    text = json.dumps(members, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    data = text.encode("ascii") + b"\n"
    _check_size(data, error)
    return data


def parse(data: bytes, form: str, error: type[FormError]) -> dict[str, Any]:
    """The members of the object in `data`; raises `error` unless its `format` is `form`.

    The caller checks the members, and that `dump` gives the same bytes again.
    """
    _check_size(data, error)
    try:
        members = json.loads(data.decode("ascii"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as wrong:
        raise error(f"not JSON: {wrong}") from wrong
    if not isinstance(members, dict) or not isinstance(members.get("format"), str):
        raise error("without a format")
    if members["format"] != form:
        later = members["format"].startswith(form[: form.rindex("v") + 1])
        raise error(
            f"format {members['format']!a} is unknown",
            "use the luggage that packed it, or a later one",
            reason="version" if later else "",
        )
    return members


def check(
    members: Mapping[str, Any],
    grammar: Mapping[str, Callable[[Any], bool]],
    error: type[FormError],
) -> None:
    """Raise `error` unless `members` are those of `grammar`, beside `format`, and each holds."""
    odd = sorted({"format", *grammar} ^ set(members))
    if odd:
        told = ", ".join(ascii(name)[1:-1] for name in odd)
        raise error(f"a member is missing or unknown: {told}")
    wrong = sorted(name for name, holds in grammar.items() if not holds(members[name]))
    if wrong:
        raise error(f"not as docs/format.md says: {', '.join(wrong)}")


def matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    """Whether a value is a text that `pattern` matches as a whole."""
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def object_of(name: Callable[[Any], bool], value: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether a value is an object of which each name and each value holds."""
    return lambda members: (
        isinstance(members, Mapping)
        and all(name(key) and value(member) for key, member in members.items())
    )


digest = matches(_DIGEST)


def _check_size(data: bytes, error: type[FormError]) -> None:
    if len(data) > MAX_BYTES:
        raise error("larger than 16 MiB", reason="size")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members
