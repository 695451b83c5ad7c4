"""Bytes ⇄ unpadded base64url, one encoding for each value (docs/format.md §1.1)."""

from __future__ import annotations

import binascii

from luggage.crypto.errors import RefusalError

# The module base64 does the same in twice the time: opening secrets is mostly this, beside the box.
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


def dump(data: bytes) -> str:
    """`data` as base64url without padding."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def parse(text: str) -> bytes:
    """The bytes of `text`; raises RefusalError unless `dump` gives the same text again.

    Python's decoder skips foreign characters and ignores unused bits, so only the re-encoding
    proves that the text is canonical.
    """
    try:
        padded = text.encode("ascii").translate(_FROM_URL) + b"=" * (-len(text) % 4)
        data = binascii.a2b_base64(padded)
    except (UnicodeEncodeError, binascii.Error):
        data = None
    if data is None or dump(data) != text:
        raise RefusalError("shape", "not canonical base64url")
    return data
