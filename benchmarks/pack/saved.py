"""Images → their layers: how large each is, and how large when it is pushed."""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from docker import ENGINE

CHUNK = 1 << 20
LEVEL = 6  # gzip's own, and that of most who push


@dataclass(frozen=True)
class Layer:
    """Bytes: of the files in it, and of its tar under gzip."""

    diff_id: str
    files: int
    compressed: int


@dataclass(frozen=True)
class Image:
    """An image as it would be pushed; `config` in bytes."""

    layers: tuple[Layer, ...]
    config: int

    @property
    def files(self) -> int:
        """Bytes of all files of all layers."""
        return sum(layer.files for layer in self.layers)

    @property
    def compressed(self) -> int:
        """Bytes of all layers, compressed."""
        return sum(layer.compressed for layer in self.layers)

    def pushes(self, before: Image) -> int:
        """Bytes that go to a registry that has `before`."""
        there = {layer.diff_id for layer in before.layers}
        new = [layer.compressed for layer in self.layers if layer.diff_id not in there]
        return sum(new) + self.config


class Measure:
    """Saves images and measures each layer once, however many images have it."""

    def __init__(self) -> None:
        self._known: dict[str, Layer] = {}

    def images(self, names: Sequence[str]) -> list[Image]:
        """The images `names`, in that order."""
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            subprocess.run([ENGINE, "save", "-o", file.name, *names], check=True)
            with tarfile.open(file.name) as saved:
                told = json.load(_member(saved, "manifest.json"))
                entries = {name: entry for entry in told for name in entry["RepoTags"] or ()}
                return [self._image(saved, entries[name]) for name in names]

    def _image(self, saved: tarfile.TarFile, entry: dict[str, object]) -> Image:
        config = _member(saved, str(entry["Config"])).read()
        diff_ids: list[str] = json.loads(config)["rootfs"]["diff_ids"]
        paths = entry["Layers"]
        assert isinstance(paths, list)
        layers = []
        for diff_id, path in zip(diff_ids, paths, strict=True):
            if diff_id not in self._known:
                self._known[diff_id] = layer(diff_id, _member(saved, path), _member(saved, path))
            layers.append(self._known[diff_id])
        return Image(tuple(layers), len(config))


def layer(diff_id: str, once: IO[bytes], again: IO[bytes]) -> Layer:
    """A layer's tar, opened twice → its sizes."""
    packer = zlib.compressobj(LEVEL, wbits=31)
    compressed = 0
    while data := once.read(CHUNK):
        compressed += len(packer.compress(data))
    compressed += len(packer.flush())
    with tarfile.open(fileobj=again, mode="r:") as tar:
        files = sum(member.size for member in tar if member.isreg())
    return Layer(diff_id, files, compressed)


def _member(saved: tarfile.TarFile, path: str) -> IO[bytes]:
    # tarfile follows the link that an engine saves for a layer that two images share.
    file = saved.extractfile(path)
    assert file is not None
    return file
