"""Bytes ⇄ unpadded base64url, one encoding for each value (docs/format.md §1.1)."""

from __future__ import annotations

import base64
import binascii

from luggage.crypto.errors import RefusalError


def dump(data: bytes) -> str:
    """`data` as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def parse(text: str) -> bytes:
    """The bytes of `text`; raises RefusalError unless `dump` gives the same text again.

    Python's decoder skips foreign characters and ignores unused bits, so only the re-encoding
    proves that the text is canonical.
    """
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        data = None
    if data is None or dump(data) != text:
        raise RefusalError("shape", "not canonical base64url")
    return data
