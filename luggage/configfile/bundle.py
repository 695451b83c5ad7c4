"""The keys and bundles of several files → one bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from luggage.crypto.keys import Bundle
from luggage.errors import LuggageError

MOST = 8


@dataclass(frozen=True)
class Merged:
    """One bundle, and the ids of the keys that were given more than once."""

    bundle: Bundle
    twice: tuple[str, ...]


def merge(parts: Sequence[tuple[str, Bundle]]) -> Merged:
    """All keys of `parts`, each with its name for messages, none twice; raises LuggageError.

    What releases are checked against is kept: the verify key, which must be the same wherever
    there is one, and the highest minimum serial.
    """
    found = [key for _, part in parts for key in part.keys]
    by_public = {key.public.raw: key for key in found}
    if not by_public:
        raise LuggageError("bundle: no key was given")
    if len(by_public) > MOST:
        raise LuggageError(
            f"bundle: {len(by_public)} different keys, and a bundle holds at most {MOST}",
            "a roll-out needs two, the old one and the new one",
        )
    ids = [key.public.id for key in found]
    twice = tuple(key_id for key_id in dict.fromkeys(ids) if ids.count(key_id) > 1)
    signed = {name: part for name, part in parts if part.verify_key is not None}
    if len({part.verify_key for part in signed.values()}) > 1:
        raise LuggageError(
            f"{' and '.join(signed)}: hold different verify keys",
            "bundle the private keys of one environment only",
        )
    verify_key = next((part.verify_key for part in signed.values()), None)
    serials = [it.minimum_serial for it in signed.values() if it.minimum_serial is not None]
    serial = max(serials, default=None)
    return Merged(Bundle(tuple(by_public.values()), verify_key, serial), twice)
