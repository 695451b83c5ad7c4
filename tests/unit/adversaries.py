"""A release → saved images that would show one tree to `verify` and give an engine another."""

from __future__ import annotations

import copy
import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable

from artifacts import SITE, Layer, Member, Release, configured, file, folder, link, sha256, tar

TAG = "localhost/thing:latest"
EVIL = f"{SITE}/depot/start.py"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
Blobs = dict[str, bytes]
Descriptor = dict[str, object]


def evil(good: Release) -> Release:
    """The same image with another source."""
    made = good.copy()
    made.put(EVIL, b"EVIL\n")
    return made


def blob(blobs: Blobs, data: bytes, kind: str, **more: object) -> Descriptor:
    """Put a blob among the others; what names it."""
    blobs[f"blobs/sha256/{sha256(data)}"] = data
    return {"mediaType": kind, "digest": f"sha256:{sha256(data)}", "size": len(data), **more}


def described(
    blobs: Blobs,
    found: Release,
    layers: list[bytes],
    named: list[bytes] | None = None,
    *,
    squeezed: bool = True,
) -> Descriptor:
    """The OCI manifest of an image with these layers; its configuration names `named`."""
    config = configured(named or layers, found.configuration)
    members = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": blob(blobs, config, _CONFIG),
        "layers": [
            blob(blobs, gzip.compress(it, mtime=0), f"{_LAYER}+gzip")
            if squeezed
            else blob(blobs, it, _LAYER)
            for it in layers
        ],
    }
    return blob(blobs, json.dumps(members).encode(), _MANIFEST)


def index(*manifests: Descriptor) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": _INDEX, "manifests": list(manifests)}
    ).encode()


def tagged(one: Descriptor) -> Descriptor:
    return {**one, "annotations": {"org.opencontainers.image.ref.name": TAG}}


def layout(blobs: Blobs, *more: Member) -> Layer:
    """The members of an OCI layout."""
    return [
        folder("blobs"),
        folder("blobs/sha256"),
        *(file(path, data) for path, data in blobs.items()),
        file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        *more,
    ]


def docker(found: Release, config: str, *more: Member) -> Layer:
    """The members of a docker-archive whose configuration has this name."""
    layers = [tar(layer) for layer in found.layers]
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    told = [{"Config": config, "RepoTags": [TAG], "Layers": names}]
    return [
        *(file(name, data) for name, data in zip(names, layers, strict=True)),
        file("manifest.json", json.dumps(told).encode()),
        *more,
    ]


def docker_archive(good: Release) -> Layer:
    """What is right, in one format."""
    config = configured([tar(it) for it in good.layers], good.configuration)
    name = f"{sha256(config)}.json"
    return docker(good, name, file(name, config))


def oci_archive(good: Release) -> Layer:
    """What is right, in the other."""
    blobs: Blobs = {}
    one = described(blobs, good, [tar(it) for it in good.layers])
    return layout(blobs, file("index.json", index(tagged(one))))


def linked_index(good: Release) -> Layer:
    """A docker-archive whose index.json is a link to another image's."""
    blobs: Blobs = {}
    other = evil(good)
    one = described(blobs, other, [tar(it) for it in other.layers])
    more = (file("blobs/other.json", index(tagged(one))), link("index.json", "blobs/other.json"))
    return [*docker_archive(good), *layout(blobs, *more)]


def two_formats(good: Release) -> Layer:
    """Two formats that name one configuration, and different layers."""
    blobs: Blobs = {}
    named = [tar(it) for it in good.layers]
    one = described(blobs, good, [tar(it) for it in evil(good).layers], named)
    config = next(
        path for path, data in blobs.items() if data == configured(named, good.configuration)
    )
    return [*docker(good, config), *layout(blobs, file("index.json", index(tagged(one))))]


def note(good: Release) -> Layer:
    """An index in which the image for this machine is called a note on how another was built."""
    blobs: Blobs = {}
    other = evil(good)
    right = described(blobs, good, [tar(it) for it in good.layers])
    wrong = described(blobs, other, [tar(it) for it in other.layers])
    right["platform"] = {"os": "linux", "architecture": "s390x"}
    wrong["platform"] = {"os": "linux", "architecture": "amd64"}
    wrong["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    inner = blob(blobs, index(right, wrong), _INDEX)
    return layout(blobs, file("index.json", index(tagged(inner))))


def polyglot(good: Release) -> Layer:
    """A last layer that is a tar, and for an engine, which looks at its first bytes, zstd."""
    blobs: Blobs = {}
    layers = [tar(it) for it in good.layers]
    layers[-1] = both_tar_and_zstd(layers[-1])
    one = described(blobs, good, layers, squeezed=False)
    return layout(blobs, file("index.json", index(tagged(one))))


def both_tar_and_zstd(layer: bytes) -> bytes:
    """The tar behind an extended header; unpacked as zstd it is a tar of an evil source."""
    info = tarfile.TarInfo(EVIL)
    body = b"EVIL\n"
    info.size = len(body)
    head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    head[265:] = bytes(512 - 265)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    name = len(EVIL)
    pieces: list[bytes | int] = [
        *(bytes(head[:name]), 100 - name, bytes(head[100:157]), 100, bytes(head[257:265])),
        *(512 - 265, body, 512 - len(body) + 1024),
    ]
    frame = bytes.fromhex("28b52ffd0038") + b"".join(
        _block(piece, last=at == len(pieces) - 1) for at, piece in enumerate(pieces)
    )
    record = b"11 mtime=1\n"
    block = bytearray(512)
    empty = bytes.fromhex("28b52ffd2000010000")
    start = empty + struct.pack("<II", 0x184D2A50, 265 - len(empty) - 8)
    block[: len(start)] = start
    for at, data in (
        *((100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0")),
        *((124, b"%011o\0" % len(record)), (136, b"00000000000\0")),
        *((156, b"x"), (257, b"ustar\x0000")),
    ):
        block[at : at + len(data)] = data
    rest = 1024 + len(layer) - (265 + len(frame) + 8)
    tail = frame + struct.pack("<II", 0x184D2A50, rest)
    block[265 : 265 + len(tail)] = tail
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + record.ljust(512, b"\0") + layer


def _block(piece: bytes | int, *, last: bool) -> bytes:
    """A block of zstd: bytes as they are, or a number of zeros."""
    if isinstance(piece, bytes):
        return struct.pack("<I", len(piece) << 3 | last)[:3] + piece
    return struct.pack("<I", piece << 3 | 2 | last)[:3] + b"\0"


RIGHT: dict[str, Callable[[Release], Layer]] = {"docker": docker_archive, "oci": oci_archive}
WRONG: dict[str, tuple[Callable[[Release], Layer], str]] = {
    "a link for an index": (linked_index, "'index.json': a link"),
    "two formats, other layers": (two_formats, "name different images"),
    "a note that is an image": (note, "holds 2 platforms"),
    "a tar that is zstd": (polyglot, "starts as what is compressed"),
}


def archive(make: Callable[[Release], Layer], found: Release) -> bytes:
    """The saved image as a file has it, under a tag that an engine keeps."""
    made = copy.copy(found)
    made.tags = (TAG,)
    return tar(make(made))


def tree_of(exported: bytes) -> dict[str, tuple[str, str | int]]:
    """What an engine's export of a container has: path → kind, and target or size."""
    found: dict[str, tuple[str, str | int]] = {}
    with tarfile.open(fileobj=io.BytesIO(exported)) as it:
        for info in it:
            kind = "dir" if info.isdir() else "link" if info.issym() else "file"
            found[info.name.rstrip("/")] = kind, info.linkname or info.size
    return found
