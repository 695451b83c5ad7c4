"""The file of a pex or of a saved image → what it holds. Nothing in it is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from luggage.errors import LuggageError
from luggage.proof import manifest, seal
from luggage.proof.manifest import Manifest
from luggage.proof.tree import Entry

PEX = "pex"
IMAGE = "image"
_PEX_HEADS = (b"#!", b"PK")
_TEXTS = re.compile(
    rf"{seal.FOLDER}/[^/]+|(.*/)?{re.escape(manifest.FILE)}|{re.escape(seal.PEX_SBOM)}|(.*/)?config\.py"
)
_PACKAGES = re.compile(rf"(app/lib/python3\.[0-9]+/site-packages/){re.escape(manifest.FILE)}")


class UnreadableError(LuggageError):
    """A file that is no artifact, or a damaged one, or cannot be read in one way only."""


@dataclass(frozen=True)
class Layer:
    """One layer of an image, the lowest first: the digest of its tar, and sizes in bytes.

    `squeezed` is about what a registry would send, and None where it was not asked for.
    """

    diff_id: str
    size: int
    files: int
    squeezed: int | None = None


@dataclass(frozen=True)
class Artifact:
    """A pex or an image. `entries` are its files, folders and links, of an image those of all
    layers; `texts` has the bytes of the few that are read here.

    `packages` is the path, with a `/` at its end, in which the packages lie. Of a pex `sha256` is
    the file's, of an image that of its configuration. `id` is what the engine that has the image
    calls it, if one was asked. `odd` tells what no image of ours has.
    """

    kind: str
    name: str
    sha256: str
    size: int
    packages: str
    manifest: Manifest
    entries: Mapping[str, Entry]
    texts: Mapping[str, bytes]
    layers: tuple[Layer, ...] = ()
    configuration: Mapping[str, Any] | None = None
    odd: tuple[str, ...] = ()
    id: str | None = None

    @property
    def seal(self) -> bytes | None:
        """The bytes of the seal in an image."""
        return self._beside_layers(seal.FILE)

    @property
    def signature(self) -> bytes | None:
        """The bytes of the signature in an image."""
        return self._beside_layers(seal.SIGNATURE)

    @property
    def sbom(self) -> bytes | None:
        """The bytes of the SBOM."""
        return self.texts.get(seal.PEX_SBOM) if self.kind == PEX else self._beside_layers(seal.SBOM)

    @property
    def config(self) -> bytes | None:
        """The text of the packed config module."""
        path = "/".join([*self.manifest.entry.split("."), "config.py"])
        return self.texts.get(f"{self.packages}{path}")

    def _beside_layers(self, name: str) -> bytes | None:
        # A pex cannot hold its own seal, which names its digest.
        return self.texts.get(f"{seal.FOLDER}/{name}") if self.kind == IMAGE else None


def is_text(path: str) -> bool:
    """Whether the bytes of a file are kept."""
    return _TEXTS.fullmatch(path) is not None


def is_pex(path: Path) -> bool:
    """Whether a file is meant for a pex, by its name or by how it starts."""
    try:
        with path.open("rb") as file:
            return path.suffix == ".pex" or file.read(2) in _PEX_HEADS
    except OSError:
        return False


def load(
    path: Path, *, name: str | None = None, image: str | None = None, squeeze: bool = False
) -> Artifact:
    """What the file holds; raises UnreadableError where it is neither, or is not plainly one, and
    LuggageError where there is none.

    `name` is what messages call it, where that is not the path. `image` names one of several images
    in a file. With `squeeze` the layers are compressed, to tell what a registry would send, which
    takes seconds.
    """
    from luggage.seal import packed, saved  # noqa: PLC0415 - both make what is defined here

    called = name or str(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if head[:2] in _PEX_HEADS:
                return packed.load(file, called)
            return saved.load(file, called, image=image, squeeze=squeeze)
    except OSError as error:
        raise LuggageError(f"{called}: cannot be read: {error.strerror or error}") from error
    except LuggageError as error:
        raise UnreadableError(error.message, error.hint) from error


def described(
    name: str, texts: Mapping[str, bytes], where: Callable[[str], str | None]
) -> tuple[str, Manifest]:
    """Where the packages lie, and the manifest there; raises LuggageError.

    `where` takes a path, and returns its folder where that is one of packages.
    """
    found = {folder: text for path, text in texts.items() if (folder := where(path)) is not None}
    if len(found) != 1:
        several = "several manifests" if found else f"holds no {manifest.FILE}"
        raise LuggageError(
            f"{name}: {several}: not what luggage packs", "name a pex or an image that it made"
        )
    ((folder, text),) = found.items()
    try:
        return folder, manifest.parse(text)
    except LuggageError as error:
        raise LuggageError(f"{name}: {error.message}", error.hint) from error


def of_pex(path: str) -> str | None:
    """The folder of packages that a manifest at `path` shows in a pex."""
    return "" if path == manifest.FILE else None


def of_image(path: str) -> str | None:
    """The folder of packages that a manifest at `path` shows in an image."""
    match = _PACKAGES.fullmatch(path)
    return match[1] if match else None
