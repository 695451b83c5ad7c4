"""What --verify-key names → the verify key: its text, or a file with it."""

from __future__ import annotations

import re
from pathlib import Path

from luggage.configfile import keyfile
from luggage.crypto import signing
from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError

_KEY = re.compile(r"lug[a-z]+[0-9]+\.")  # of whatever kind and version


def key(given: str, source: str) -> VerifyKey:
    """A verify key, or that in the file that is named; raises LuggageError about `source`."""
    if _KEY.match(given):
        return signing.parse_verify(given, source)
    try:
        text = keyfile.line(Path(given)).reveal()
    except (LuggageError, ValueError) as error:
        why = error.message if isinstance(error, LuggageError) else "not a path"
        raise LuggageError(
            f"{source}: neither a verify key nor a file with one: {why}",
            "lugverify1.…, or the name of a file with it",
        ) from None
    return signing.parse_verify(text, source)
