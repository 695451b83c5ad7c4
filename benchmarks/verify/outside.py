"""A saved image, changed outside of its layers' tars → whether `verify` refuses it.

What an engine does not read may change: such a file must be the very same image as before.
"""

from __future__ import annotations

import random
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from flips import verified

from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError
from luggage.seal import artifact
from luggage.seal.artifact import Artifact
from luggage.seal.verify import Given

_NO_LAYER = 1 << 16  # bytes; what is larger is one, under a blob's name
REFUSED, SAME, TAKEN = "refused", "the same image", "TAKEN"


@dataclass(frozen=True)
class Place:
    """One byte of the saved file."""

    file: str
    at: int
    by: int
    seal: bytes
    signature: bytes
    key: bytes


def places(
    file: Path, count: int, chance: random.Random, given: Given, key: VerifyKey
) -> Iterator[Place]:
    """Bytes of headers, of manifest.json, of the configuration, of what older readers want."""
    spans = []
    with tarfile.open(file) as archive:
        for member in archive:
            spans.append(range(member.offset, member.offset_data))
            if not member.name.endswith("layer.tar") and member.size <= _NO_LAYER:
                spans.append(range(member.offset_data, member.offset_data + member.size))
    bytes_ = [at for span in spans for at in span]
    for at in chance.sample(bytes_, min(count, len(bytes_))):
        by = chance.randrange(1, 256)
        yield Place(str(file), at, by, given.seal, given.signature or b"", key.raw)


def run(place: Place) -> tuple[Place, str]:
    """What becomes of the saved file with that byte changed."""
    path = _copy(place.file)
    with path.open("r+b") as file:
        file.seek(place.at)
        was = file.read(1)
        file.seek(place.at)
        file.write(bytes([was[0] ^ place.by]))
    try:
        found = artifact.load(path)
        given = Given(place.seal, place.signature)
        if verified(found, given, VerifyKey(place.key)):
            return place, REFUSED
    except LuggageError:
        return place, REFUSED
    finally:
        with path.open("r+b") as file:
            file.seek(place.at)
            file.write(was)
    return place, SAME if replace(found, name="") == _original(place.file) else TAKEN


@cache
def _copy(file: str) -> Path:
    """A copy for this process, in which one byte after the other is changed and put right."""
    folder = tempfile.TemporaryDirectory(prefix="luggage-")
    _kept.append(folder)
    path = Path(folder.name) / "image.tar"
    path.write_bytes(Path(file).read_bytes())
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []


@cache
def _original(file: str) -> Artifact:
    return replace(artifact.load(Path(file)), name="")


def structures() -> Iterator[tuple[str, bool]]:
    """Each saved image that two readers read differently, and whether it is refused.

    They are those of the tests, made of a small release; tests/engine loads them with podman.
    """
    sys.path.append(str(Path(__file__).resolve().parents[2] / "tests/unit"))
    import adversaries  # noqa: PLC0415 - the tests' own
    import artifacts  # noqa: PLC0415

    release = artifacts.release()
    with tempfile.TemporaryDirectory(prefix="luggage-") as folder:
        path = Path(folder) / "image.tar"
        for name, (make, _) in adversaries.WRONG.items():
            path.write_bytes(adversaries.archive(make, release))
            try:
                found = artifact.load(path)
                given = Given(release.sealed, release.signature)
                yield name, bool(verified(found, given, release.key.public))
            except LuggageError:
                yield name, True
