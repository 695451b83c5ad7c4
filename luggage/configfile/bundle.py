"""The keys and bundles of several files, and what releases must prove → one bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luggage.crypto.keys import Bundle
from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError

MOST = 8


@dataclass(frozen=True)
class Merged:
    """One bundle, the ids of the keys that were given more than once, and what else to tell."""

    bundle: Bundle
    twice: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """What the bundle is to check releases against; None leaves what the files say.

    `lower` allows a minimum serial that is less than theirs.
    """

    verify_key: VerifyKey | None = None
    minimum: int | None = None
    lower: bool = False


def merge(parts: Sequence[tuple[str, Bundle]], release: Release | None = None) -> Merged:
    """All keys of `parts`, each with its name for messages, none twice; raises LuggageError.

    What releases are checked against is kept, where `release` does not say otherwise: the verify
    key, which must be the same wherever there is one, and the highest minimum serial.
    """
    release = release or Release()
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
    verify_key, notes = _verify_key(signed, release)
    minimum = _minimum(signed, release)
    if minimum is not None and verify_key is None:
        raise LuggageError(
            "bundle: a minimum serial without a verify key proves nothing",
            "add: --verify-key lugverify1.…",
        )
    if verify_key is not None and minimum is None:
        minimum = 1
    return Merged(Bundle(tuple(by_public.values()), verify_key, minimum), twice, notes)


def _verify_key(
    signed: Mapping[str, Bundle], release: Release
) -> tuple[bytes | None, tuple[str, ...]]:
    there = list(dict.fromkeys(part.verify_key for part in signed.values() if part.verify_key))
    if release.verify_key is not None:
        new = release.verify_key
        gone = ", ".join(VerifyKey(raw).id for raw in there if raw != new.raw)
        return new.raw, (f"verify key {gone} is replaced by {new.id}",) if gone else ()
    if len(there) > 1:
        raise LuggageError(
            f"{' and '.join(signed)}: hold different verify keys",
            "bundle the private keys of one environment only, or choose: --verify-key lugverify1.…",
        )
    return (there[0] if there else None), ()


def _minimum(signed: Mapping[str, Bundle], release: Release) -> int | None:
    serials = [it.minimum_serial for it in signed.values() if it.minimum_serial is not None]
    there = max(serials, default=None)
    if release.minimum is None:
        return there
    if there is not None and release.minimum < there and not release.lower:
        raise LuggageError(
            f"{' and '.join(signed)}: the minimum serial is {there} already, and "
            f"{release.minimum} is lower: older releases would start again",
            "if that is wanted, add: --lower",
        )
    return release.minimum
