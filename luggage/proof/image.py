"""Where an artifact lies → what its seal and its listings prove of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from luggage.errors import LuggageError
from luggage.proof import canonical, files, manifest, seal, sources
from luggage.proof.files import Found
from luggage.proof.manifest import Manifest
from luggage.proof.seal import Seal

APP = "app"
PEX_INFO = "PEX-INFO"  # in the root of what pex unpacked
MOST = 10


@dataclass(frozen=True)
class Place:
    """Where an artifact lies: `site` has its packages and its manifest.

    `root` is what an image's listings are of. `pex` is the file that was unpacked into `site`,
    where there is one. `mountinfo` is the text of /proc/self/mountinfo.
    """

    site: Path
    root: Path = Path("/")
    pex: Path | None = None
    mountinfo: bytes = b""

    @property
    def is_image(self) -> bool:
        """Whether `site` is where an image has it: /app/lib/pythonX.Y/site-packages."""
        return len(self.site.parts) > 3 and self.site.parents[2] == self.root / APP

    @property
    def is_packed(self) -> bool:
        """Whether it is an artifact at all, and no checkout: also one that lost its manifest."""
        return self.is_image or (self.site / manifest.FILE).exists() or self._is_unpacked

    @property
    def _is_unpacked(self) -> bool:
        """Whether pex made it; other programs are a pex, too, and so run a checkout with PEX."""
        above = self.site.parents
        return self.pex is not None and len(above) > 3 and (above[2] / PEX_INFO).exists()


@dataclass(frozen=True)
class Proved:
    """What was found: the files, what is wrong, and the seal's bytes and its signature if any."""

    found: Found
    wrong: list[str]
    seal: bytes | None = None
    signature: bytes | None = None


def image(place: Place, told: Manifest | None) -> Proved:
    """What the listings in an image prove."""
    wrong: list[str] = []
    folder = place.root / seal.FOLDER
    data = read(folder / seal.FILE)
    stated = _seal(data, folder, wrong)
    if stated is None:
        return Proved(Found(0, 0, {}), wrong)
    if told is not None and stated.manifest != told:
        wrong.append(f"{folder / seal.FILE}: names another manifest than {manifest.FILE}")
    listings = []
    for layer, digest in stated.layers.items():
        listing = _sealed_file(folder / seal.listing(layer), digest, wrong)
        listings += [] if listing is None else [listing]
    _sealed_file(folder / seal.SBOM, stated.sbom["image"], wrong)
    known = {seal.FILE, seal.SIGNATURE, seal.SBOM, *map(seal.listing, stated.layers)}
    wrong += [
        f"{folder / name}: was not packed"
        for name in sorted({path.name for path in folder.iterdir()} - known)
    ]
    signed = read(folder / seal.SIGNATURE)
    if len(listings) < len(stated.layers):
        return Proved(Found(0, 0, {}), wrong, data, signed)
    listed, twice = files.read(listings)
    wrong += _few(twice)
    root = os.fsencode(place.root)
    mounts = files.mounted(place.mountinfo, root)
    found = files.differing(root, listed, APP.encode(), mounts, {seal.FOLDER.encode()})
    return Proved(found, wrong + _few(found.wrong), data, signed)


def pex(place: Place, told: Manifest | None) -> Proved:
    """What the manifest of a pex proves of its sources, and the seal that lies beside its file: a
    pex cannot hold its own.
    """
    found = sources.differing(place.site, told.files if told else {})
    wrong = _few(found.wrong)
    if place.pex is None:
        return Proved(found, wrong)
    beside = place.pex.parent / seal.FILE
    data = read(beside)
    if data is None:
        return Proved(found, wrong)
    wrong += _of_another(beside, data, place.pex, told)
    return Proved(found, wrong, data, read(place.pex.parent / seal.SIGNATURE))


def read(path: Path) -> bytes | None:
    """The bytes of a file, or None where there is none; raises LuggageError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LuggageError(f"{path}: cannot be read: {error.strerror}") from error


def _of_another(path: Path, data: bytes, pex: Path, told: Manifest | None) -> list[str]:
    """Why the seal in `data`, which lies at `path`, is not that of the file `pex`."""
    try:
        stated = seal.parse(data)
    except canonical.FormError as error:
        return [f"{path}: {error.message}"]
    try:
        with pex.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{pex}: cannot be read: {error.strerror}"]
    if stated.pex != digest:
        return [f"{path}: is of another pex"]
    if told is not None and stated.manifest != told:
        return [f"{path}: names another manifest than {manifest.FILE}"]
    return []


def _seal(data: bytes | None, folder: Path, wrong: list[str]) -> Seal | None:
    if data is None:
        wrong.append(f"{folder / seal.FILE}: missing")
        return None
    try:
        stated = seal.parse(data)
    except canonical.FormError as error:
        wrong.append(f"{folder / seal.FILE}: {error.message}")
        return None
    if not stated.layers:
        wrong.append(f"{folder / seal.FILE}: names no layers")
        return None
    return stated


def _sealed_file(path: Path, digest: str, wrong: list[str]) -> bytes | None:
    """The bytes of a file that the seal names, or None where it is not that file."""
    data = read(path)
    if data is None:
        wrong.append(f"{path}: missing")
        return None
    if hashlib.sha256(data).hexdigest() != digest:
        wrong.append(f"{path}: changed")
        return None
    return data


def _few(wrong: Mapping[str, str]) -> list[str]:
    told = [f"{path}: {how}" for path, how in list(wrong.items())[:MOST]]
    more = len(wrong) - len(told)
    return [*told, f"and {more:,} more"] if more else told
