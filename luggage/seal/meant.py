"""The images in a file, by their names → the one that is meant."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from luggage.seal.tarred import TarError

Named = tuple[dict[str, Any], tuple[str, ...]]  # what describes an image, and its names
_NAMING = ("RepoTags", "annotations")


def one(found: Sequence[Named], wanted: str | None) -> dict[str, Any]:
    """What describes the only image, or the one of the name; raises TarError."""
    images = _merged(found)
    named = [it for it in images if wanted is None or any(_called(tag, wanted) for tag in it[1])]
    if len(named) == 1:
        return named[0][0]
    hint = "name the one: --image NAME"
    if wanted is not None and images and not named:
        raise TarError(f"holds no image {wanted!a}, but {_listed(images)}", hint)
    if not named:
        raise TarError("holds no image")
    raise TarError(f"holds {len(named)} images: {_listed(named)}", hint)


def _merged(found: Sequence[Named]) -> list[Named]:
    """One image for all that differ in their names alone."""
    images: dict[str, Named] = {}
    for told, tags in found:
        rest = {word: value for word, value in told.items() if word not in _NAMING}
        key = json.dumps(rest, sort_keys=True)
        first, before = images.get(key, (told, ()))
        images[key] = first, tuple(dict.fromkeys([*before, *tags]))
    return list(images.values())


def _listed(images: Sequence[Named]) -> str:
    told = []
    for _, tags in images:
        first, *also = (ascii(tag)[1:-1] for tag in tags or ("one without a name",))
        told.append(f"{first} (also {', '.join(also)})" if also else first)
    return ", ".join(told)


def _called(tag: str, wanted: str) -> bool:
    """Whether a tag is what a user wrote: `example` is `localhost/example:latest`."""
    full = wanted if ":" in wanted.rpartition("/")[2] else f"{wanted}:latest"
    return tag == full or tag.endswith(f"/{full}")
