"""A small release → its pex and its saved image, sealed and signed, and changes of them."""

from __future__ import annotations

import copy
import gzip
import hashlib
import io
import json
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from luggage.crypto import signing
from luggage.crypto.signing import SigningKey
from luggage.proof import manifest, seal, tree
from luggage.proof.manifest import Manifest, Wheel
from luggage.proof.seal import PEX_SBOM, Seal
from luggage.proof.tree import Entry
from luggage.seal import configuration

KEY = signing.generate()
SITE = "app/lib/python3.13/site-packages"
SBOM = b'{"bomFormat": "CycloneDX"}\n'
SOURCES = {
    "depot/__init__.py": b"",
    "depot/config.py": b"SERIAL = 7\n",
    "depot/start.py": b"PROCESSES = []\n",
    "luggage/__init__.py": b'__version__ = "0"\n',
}
MANIFEST = Manifest(
    project="thing",
    commit="5" * 40,
    dirty=False,
    entry="depot",
    python="3.13.5",
    platform="linux-x86_64",
    lock="a" * 64,
    tools={"pex": "2.105.0"},
    wheels=(Wheel("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl", "b" * 64),),
    files={path: hashlib.sha256(data).hexdigest() for path, data in SOURCES.items()},
    sealed={},
    serial=7,
)
CONFIGURATION: dict[str, Any] = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-01T00:00:00Z",
    "config": {
        **configuration.EXACT,
        "Env": [f"{name}={value}" for name, value in configuration.ENVIRON.items()],
        "ExposedPorts": {"8000/tcp": {}},
        "Hostname": "",
        "Volumes": None,
        "WorkingDir": "",
        "OnBuild": None,
        "Labels": {"org.opencontainers.image.title": "thing"},
    },
}
Member = tuple[tarfile.TarInfo, bytes]
Layer = list[Member]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file(path: str, data: bytes = b"", mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(data), mode
    return info, data


def folder(path: str, mode: int = 0o755, owner: int = 0) -> Member:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
    return info, b""


def link(path: str, target: str, kind: bytes = tarfile.SYMTYPE, mode: int = 0o777) -> Member:
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, target, mode
    return info, b""


def entry(member: Member) -> Entry:
    """What a listing says of a member."""
    info, data = member
    owners = (info.uid, info.gid)
    if info.isdir():
        return Entry(info.name, "dir", info.mode, None, None, None, *owners)
    if info.issym():
        return Entry(info.name, "link", info.mode, None, None, info.linkname, *owners)
    return Entry(info.name, "file", info.mode, len(data), sha256(data), None, *owners)


def tar(members: Layer) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def parents(path: str) -> Layer:
    parts = path.split("/")
    return [folder("/".join(parts[:count])) for count in range(1, len(parts))]


def pex(sources: Mapping[str, bytes] = SOURCES, described: bytes = b"") -> bytes:
    """A shell's head and a zip, as pex writes it."""
    out = io.BytesIO()
    out.write(b"#!/bin/sh\nexit 1\n")
    files = {
        "__main__.py": b"raise SystemExit\n",
        ".deps/six-1.17.0-py2.py3-none-any.whl/six.py": b"six = 6\n" * 40,
        **sources,
        manifest.FILE: described or manifest.dump(MANIFEST),
        PEX_SBOM: SBOM,
    }
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(files.items()):
            info = zipfile.ZipInfo(path)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


@dataclass
class Release:
    """What one release is made of; `layers` are root, deps, luggage, app, and then the seal's."""

    layers: list[Layer]
    configuration: dict[str, Any]
    seal: Seal
    key: SigningKey = KEY
    tags: tuple[str, ...] = ("thing:latest",)
    pex: bytes = field(default_factory=pex)

    @property
    def sealed(self) -> bytes:
        return seal.dump(self.seal)

    @property
    def signature(self) -> bytes:
        return self.key.sign(self.sealed)

    def copy(self) -> Release:
        layers, configuration = copy.deepcopy((self.layers, self.configuration))
        return replace(self, layers=layers, configuration=configuration)

    def write_pex(self, place: Path) -> Path:
        """The pex with seal and signature beside it."""
        place.mkdir(parents=True, exist_ok=True)
        (place / seal.FILE).write_bytes(self.sealed)
        (place / seal.SIGNATURE).write_bytes(self.signature)
        (place / "thing.pex").write_bytes(self.pex)
        return place / "thing.pex"

    def write_image(self, path: Path, *, squeezed: bool = False) -> Path:
        """A docker-archive."""
        path.write_bytes(docker_archive(self.layers, self.configuration, self.tags, squeezed))
        return path

    def member(self, path: str) -> tuple[Layer, int]:
        """The layer that brings a path last, and its place there."""
        for layer in reversed(self.layers):
            for at, (info, _) in enumerate(layer):
                if info.name == path:
                    return layer, at
        raise KeyError(path)

    def put(self, path: str, data: bytes) -> None:
        """Other bytes for a file."""
        layer, at = self.member(path)
        info = copy.copy(layer[at][0])
        info.size = len(data)
        layer[at] = info, data


def release(
    described: Manifest = MANIFEST,
    key: SigningKey = KEY,
    sources: Mapping[str, bytes] = SOURCES,
    debian: str = "3.13.5-2",
) -> Release:
    """A release that verifies."""
    described = replace(described, files={path: sha256(data) for path, data in sources.items()})
    text = manifest.dump(described)
    root = [
        folder("usr"),
        folder("usr/bin"),
        file("usr/bin/python3.13", b"ELF" * 300, 0o755),
        link("usr/bin/python3", "python3.13"),
        folder("run"),
        folder("run/luggage", 0o700, 65532),
        folder("tmp", 0o1777),
        file("usr/odd name", b"\1"),
    ]
    deps = [
        *parents(f"{SITE}/six.py"),
        file(f"{SITE}/six.py", b"six = 6\n"),
        folder("app/bin"),
        link("app/bin/python", "/usr/bin/python3.13"),
    ]
    parts: list[Layer] = [root, deps]
    for package in ("luggage", "depot"):
        brought = {path: data for path, data in sources.items() if path.startswith(package)}
        inside = [file(f"{SITE}/{path}", data) for path, data in brought.items()]
        parts.append([*parents(f"{SITE}/{package}/x"), *inside])
    parts[3].append(file(f"{SITE}/{manifest.FILE}", text))
    listings = {
        name: tree.dump(map(entry, layer))
        for name, layer in zip(("root", "deps", "luggage", "app"), parts, strict=True)
    }
    made = pex(sources, text)
    sealed = Seal(
        manifest=described,
        pex=sha256(made),
        layers={name: sha256(data) for name, data in listings.items()},
        debian={"python3.13": debian},
        sbom={"pex": sha256(SBOM), "image": sha256(SBOM)},
    )
    for layer, (name, data) in zip(parts, listings.items(), strict=True):
        layer += [
            *(parents(f"{seal.FOLDER}/x") if name == "root" else [folder(seal.FOLDER)]),
            file(f"{seal.FOLDER}/{seal.listing(name)}", data),
        ]
    found = Release(parts, copy.deepcopy(CONFIGURATION), sealed, key, pex=made)
    parts[1].append(file(f"{seal.FOLDER}/{seal.SBOM}", SBOM))
    parts.append(
        [
            folder(seal.FOLDER),
            file(f"{seal.FOLDER}/{seal.FILE}", found.sealed),
            file(f"{seal.FOLDER}/{seal.SIGNATURE}", found.signature),
        ]
    )
    return found


def resealed(found: Release, **changed: object) -> Release:
    """The same with another seal in it, signed anew."""
    made = found.copy()
    made.seal = replace(found.seal, **changed)  # type: ignore[arg-type]
    made.put(f"{seal.FOLDER}/{seal.FILE}", made.sealed)
    made.put(f"{seal.FOLDER}/{seal.SIGNATURE}", made.signature)
    return made


def configured(layers: list[bytes], configuration: dict[str, Any]) -> bytes:
    """The configuration's bytes, naming its layers."""
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{sha256(layer)}" for layer in layers]}
    return json.dumps({**configuration, "rootfs": rootfs}).encode()


def docker_archive(
    layers: list[Layer], configuration: dict[str, Any], tags: tuple[str, ...], squeezed: bool
) -> bytes:
    """What `docker save` writes."""
    plain = [tar(layer) for layer in layers]
    config = configured(plain, configuration)
    stored = [gzip.compress(data, mtime=0) for data in plain] if squeezed else plain
    names = [f"{number}/layer.tar" for number in range(len(stored))]
    config_name = f"{sha256(config)}.json"
    described = [{"Config": config_name, "RepoTags": list(tags), "Layers": names}]
    return tar(
        [
            *(file(name, data) for name, data in zip(names, stored, strict=True)),
            file(config_name, config),
            file("manifest.json", json.dumps(described).encode()),
        ]
    )


def oci_archive(found: Release, *, indexed: bool = False) -> bytes:
    """What `podman save --format oci-archive` writes; `indexed` as Docker's image store does."""
    plain = [tar(layer) for layer in found.layers]
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, **more: object) -> dict[str, object]:
        blobs[f"blobs/sha256/{sha256(data)}"] = data
        return {"digest": f"sha256:{sha256(data)}", "size": len(data), **more}

    described = json.dumps(
        {
            "schemaVersion": 2,
            "config": blob(configured(plain, found.configuration)),
            "layers": [blob(gzip.compress(layer, mtime=0)) for layer in plain],
        }
    ).encode()
    if indexed:
        note = {"vnd.docker.reference.type": "attestation-manifest"}
        absent = {"digest": f"sha256:{'0' * 64}", "size": 1}
        unknown = {"os": "unknown", "architecture": "unknown"}
        noted = blob(b"{}", annotations=note, platform=unknown)
        inner = [blob(described), noted, absent]
        described = json.dumps({"schemaVersion": 2, "manifests": inner}).encode()
    names = {"org.opencontainers.image.ref.name": found.tags[0]}
    index = {"schemaVersion": 2, "manifests": [blob(described, annotations=names)]}
    members = [file(path, data) for path, data in blobs.items()]
    return tar([*members, file("index.json", json.dumps(index).encode())])


def listing_more(found: Release, members: Layer) -> Release:
    """The same with more in its first layer, listed and sealed."""
    made = found.copy()
    path = f"{seal.FOLDER}/{seal.listing('root')}"
    layer, at = made.member(path)
    listed = tree.parse(layer[at][1])
    text = tree.dump([*listed, *map(entry, members)])
    made.put(path, text)
    layer += members
    return resealed(made, layers={**made.seal.layers, "root": sha256(text)})
