"""A saved image → its files, its layers and its configuration.

What `docker save` and `podman save` write: a docker-archive (manifest.json), an OCI layout
(index.json), or both in one file. Layers may be compressed with gzip.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

from luggage.errors import LuggageError
from luggage.proof import canonical
from luggage.seal import artifact, layered, meant, stated
from luggage.seal.artifact import Artifact
from luggage.seal.layered import Place
from luggage.seal.room import MOST_LAYERS
from luggage.seal.tarred import Member, Reader, TarError

_BLOB = re.compile(r"sha256:([0-9a-f]{64})")
_NAMED = re.compile(r"(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_DOCKER, _OCI = "manifest.json", "index.json"
_FORMS = {_DOCKER, _OCI, "oci-layout", "repositories"}
_OLD_LAYER = re.compile(r"[0-9a-f]{64}/layer\.tar")
_OLD_TARGET = re.compile(r"\.\./[0-9a-f]{64}(/layer\.tar|\.tar)")
_OF_OCI = "application/vnd.oci.image."
_OF_DOCKER = "application/vnd.docker.distribution.manifest."
_KINDS = {
    "layers": {f"{_OF_OCI}manifest.v1+json", f"{_OF_DOCKER}v2+json"},
    "manifests": {f"{_OF_OCI}index.v1+json", f"{_OF_DOCKER}list.v2+json"},
}


def load(file: BinaryIO, name: str, *, image: str | None, squeeze: bool) -> Artifact:
    """The image in an open file; raises LuggageError where it is none, or not plainly one."""
    try:
        return _Archive(file, name, image).load(squeeze)
    except TarError as error:
        raise LuggageError(f"{name}: {error.message}", error.hint) from error


class _Archive:
    """The outer tar: where each of its files lies."""

    def __init__(self, file: BinaryIO, name: str, image: str | None) -> None:
        self.file = file
        self.name = name
        self.image = image
        self.size = file.seek(0, 2)
        file.seek(0)
        if file.read(2) == b"\x1f\x8b":
            raise TarError("compressed", "unpack it first: gunzip")
        file.seek(0)
        self.places: dict[str, Place] = {}
        for member in Reader(file.read, self._skip):
            if member.kind == "file":
                self.places[member.path] = Place(file.tell(), member.size)
            elif member.kind != "dir":
                _check_link(member)
            elif member.path in _FORMS:
                raise TarError(f"{member.path!r}: a folder, where a file belongs")

    def _skip(self, size: int) -> None:
        if self.file.tell() + size > self.size:
            raise TarError("ends in the middle of a member")
        self.file.seek(size, 1)

    def load(self, squeeze: bool) -> Artifact:
        ways = [self._docker()] if _DOCKER in self.places else []
        if _OCI in self.places:
            ways.append(self._oci())
        if "repositories" in self.places and _DOCKER not in self.places:
            raise TarError("in a format that engines no longer write", "save it with a newer one")
        if not ways:
            raise TarError(
                "neither a pex nor a saved image", "docker save IMAGE -o FILE makes such a file"
            )
        if any(way != ways[0] for way in ways):
            raise TarError(f"{_DOCKER} and {_OCI} name different images")
        config, layers = ways[0]
        raw = self._read(config)
        named = _NAMED.fullmatch(config)
        digest = hashlib.sha256(raw).hexdigest()
        if named is None or named[1] != digest:
            raise TarError("the configuration is not the one that its name tells")
        members = stated.document(raw, config)
        for word in members:
            if word != word.casefold():
                raise TarError(f"the configuration has a member {word!r}")
        diff_ids = stated.members(members.get("rootfs"), "rootfs").get("diff_ids")
        if not isinstance(diff_ids, list) or len(diff_ids) != len(layers):
            raise TarError("the configuration does not name each of its layers")
        if len(layers) > MOST_LAYERS:
            raise TarError("has more layers than engines take")
        tree = layered.Tree()
        for path, diff_id in zip(layers, diff_ids, strict=True):
            tree.add(self.file, self._place(path), str(diff_id), squeeze)
        packages, manifest = artifact.described(self.name, tree.texts, artifact.of_image)
        return Artifact(
            artifact.IMAGE,
            self.name,
            digest,
            sum(layer.size for layer in tree.layers),
            packages,
            manifest,
            tree.entries,
            tree.texts,
            tuple(tree.layers),
            members,
            tuple(tree.odd),
        )

    def _docker(self) -> tuple[str, list[str]]:
        """Paths of the configuration and of the layers, as manifest.json tells them."""
        images = stated.parsed(self._read(_DOCKER), _DOCKER)
        found = [stated.members(it, _DOCKER) for it in stated.items(images, _DOCKER)]
        one = meant.one([(it, _tags(it)) for it in found], self.image)
        return str(one.get("Config")), [str(it) for it in stated.items(one.get("Layers"), _DOCKER)]

    def _oci(self) -> tuple[str, list[str]]:
        """The same, as index.json tells them."""
        index = stated.document(self._read(_OCI), _OCI)
        found = [stated.members(it, _OCI) for it in stated.items(index.get("manifests"), _OCI)]
        one = meant.one([(it, tuple(map(str, _names(it)))) for it in found], self.image)
        image = self._described(one)
        if "layers" not in image:
            # An index: of platforms, of which the file may hold one, and notes on how it was built.
            inner = [stated.members(it, _OCI) for it in stated.items(image.get("manifests"), _OCI)]
            there = [it for it in inner if self._path(it) in self.places and not _is_note(it)]
            if len(there) != 1:
                raise TarError(
                    f"holds {len(there)} platforms", "save one of them alone: --platform"
                )
            image = self._described(there[0])
        if "layers" not in image:
            raise TarError("holds an index in an index")
        layers = [stated.members(it, _OCI) for it in stated.items(image["layers"], _OCI)]
        for layer in layers:
            if "zstd" in str(layer.get("mediaType")):
                raise TarError("its layers are compressed with zstd", "save it as a docker-archive")
        return self._path(stated.members(image.get("config"), _OCI)), [
            self._path(it) for it in layers
        ]

    def _described(self, descriptor: Mapping[str, Any]) -> dict[str, Any]:
        """An image's manifest, or an index; never what an engine could take for the other."""
        found = stated.document(self._blob(descriptor), _OCI)
        words = {"layers", "manifests", "fsLayers"} & set(found)
        kinds = {it["mediaType"] for it in (descriptor, found) if "mediaType" in it}
        if len(words) != 1 or not kinds <= _KINDS.get(words.pop(), set()):
            raise TarError("a manifest is of another kind than it says")
        return found

    def _path(self, descriptor: Mapping[str, Any]) -> str:
        match = _BLOB.fullmatch(str(descriptor.get("digest")))
        if match is None:
            raise TarError("a blob is not named by its SHA-256")
        return f"blobs/sha256/{match[1]}"

    def _blob(self, descriptor: Mapping[str, Any]) -> bytes:
        path = self._path(descriptor)
        data = self._read(path)
        if hashlib.sha256(data).hexdigest() != path.rpartition("/")[2]:
            raise TarError(f"{path} has other bytes than its name tells")
        return data

    def _place(self, path: str) -> Place:
        if path not in self.places:
            raise TarError(f"{path!r} is named, but not there")
        return self.places[path]

    def _read(self, path: str) -> bytes:
        place = self._place(path)
        if place.size > canonical.MAX_BYTES:
            raise TarError(f"{path!a}: larger than 16 MiB")
        self.file.seek(place.start)
        return self.file.read(place.size)


def _check_link(member: Member) -> None:
    """Refuse a link that an engine could follow to what is not looked at here.

    Docker before 25 and podman link layers for readers older than manifest.json.
    """
    if (
        member.kind != "link"
        or _OLD_LAYER.fullmatch(member.path) is None
        or _OLD_TARGET.fullmatch(member.target) is None
    ):
        raise TarError(f"{member.path!a}: a link")


def _is_note(descriptor: Mapping[str, Any]) -> bool:
    """Whether it tells how an image was built; engines choose by the platform alone."""
    platform = stated.members(descriptor.get("platform") or {}, "platform")
    return platform.get("os") == platform.get(
        "architecture"
    ) == "unknown" and "vnd.docker.reference.type" in _annotations(descriptor)


def _annotations(descriptor: Mapping[str, Any]) -> dict[str, Any]:
    return stated.members(descriptor.get("annotations") or {}, "annotations")


def _tags(described: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, stated.items(described.get("RepoTags") or [], f"{_DOCKER}: RepoTags")))


def _names(descriptor: Mapping[str, Any]) -> list[str]:
    notes = _annotations(descriptor)
    names = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
    return [str(notes[name]) for name in names if name in notes]
