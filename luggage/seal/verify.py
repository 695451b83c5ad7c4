"""An artifact, its seal and a verify key → everything in which it is not what was signed.

This is done from outside, before the artifact is run and before it is given a key: nothing inside
an artifact can prove that artifact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError
from luggage.proof import manifest, seal, signature, tree
from luggage.proof.seal import Seal
from luggage.proof.tree import Entry
from luggage.seal import artifact, configuration
from luggage.seal.artifact import Artifact

UNSIGNED = "signature: there is none"


@dataclass(frozen=True)
class Wanted:
    """What is asked of an artifact. Without a `key` nothing is proved about who made it."""

    key: VerifyKey | None
    minimum_serial: int | None = None
    allow_env: tuple[str, ...] = ()


@dataclass(frozen=True)
class Given:
    """The seal, and its signature, as they lie beside the artifact or in it."""

    seal: bytes
    signature: bytes | None


@dataclass(frozen=True)
class Verdict:
    """What was sealed, how many files were compared, and everything that is wrong."""

    seal: Seal
    files: int
    size: int
    problems: tuple[str, ...]


def given(found: Artifact, outside: bytes | None, signed: bytes | None) -> Given:
    """The seal and the signature: `outside` and `signed` are files beside the artifact, or None.

    Raises LuggageError where there is no seal, or an image holds another one.
    """
    inside = found.seal
    if outside is not None and inside is not None and outside != inside:
        raise LuggageError(
            f"{found.name}: the seal in it is not the one that was given",
            "leave out --seal, or verify the artifact that the seal belongs to",
        )
    chosen = outside if inside is None else inside
    if chosen is None:
        place = Path(found.name).parent / seal.FILE
        hint = (
            f"its seal belongs beside it: {place}; or name it: --seal FILE"
            if found.kind == artifact.PEX
            else "make it again, with this luggage: ./create"
        )
        raise LuggageError(f"{found.name}: has no seal", hint)
    return Given(chosen, found.signature if signed is None else signed)


def ahead(sha256: str, given: Given, wanted: Wanted) -> tuple[str, ...]:
    """What is wrong with a pex that has this SHA-256, of which nothing else was read yet: nothing
    where it is the sealed one. Raises LuggageError where the seal cannot be read.
    """
    sealed = seal.parse(given.seal)
    if not (other := [*_digest(sha256, sealed)]):
        return ()
    signatures = {given.signature} - {None}
    return (*_signed(given.seal, signatures, wanted), *_serial(sealed, wanted), *other)


def verify(found: Artifact, given: Given, wanted: Wanted) -> Verdict:
    """Compare everything; raises LuggageError only where the seal cannot be read."""
    try:
        sealed = seal.parse(given.seal)
    except LuggageError as error:
        place = "" if found.kind == artifact.PEX else f"{seal.FOLDER}/{seal.FILE}: "
        raise LuggageError(f"{found.name}: {place}{error.message}", error.hint) from error
    signatures = {given.signature, found.signature} - {None}
    told = [*_signed(given.seal, signatures, wanted), *_described(found, sealed, wanted)]
    told += found.odd
    told += _pex(found, sealed) if found.kind == artifact.PEX else _image(found, sealed, wanted)
    files = [entry for entry in found.entries.values() if entry.kind == "file"]
    size = sum(entry.size or 0 for entry in files)
    return Verdict(sealed, len(files), size, tuple(dict.fromkeys(told)))


def _signed(sealed: bytes, signatures: Set[bytes | None], wanted: Wanted) -> Iterator[str]:
    if wanted.key is None:
        return
    if not signatures:
        yield UNSIGNED
    for signed in signatures:
        try:
            signature.check(sealed, signed or b"", wanted.key)
        except LuggageError as error:
            yield error.message


def _described(found: Artifact, sealed: Seal, wanted: Wanted) -> Iterator[str]:
    """The manifest, in the seal and in the artifact, and the sources it names."""
    if found.manifest != sealed.manifest:
        yield f"{manifest.FILE}: not the manifest that was sealed"
    for path, digest in sorted(sealed.manifest.files.items()):
        place = f"{found.packages}{path}"
        entry = found.entries.get(place)
        if entry is None or entry.kind != "file":
            yield f"{place!r}: missing"
        elif entry.sha256 != digest:
            yield f"{place!r}: its content is not what was sealed"
    yield from _serial(sealed, wanted)


def _serial(sealed: Seal, wanted: Wanted) -> Iterator[str]:
    serial = sealed.manifest.serial
    if wanted.minimum_serial is not None and (serial is None or serial < wanted.minimum_serial):
        has = "none" if serial is None else str(serial)
        yield f"serial: {has}, and {wanted.minimum_serial} is the least"


def _pex(found: Artifact, sealed: Seal) -> Iterator[str]:
    yield from _digest(found.sha256, sealed)
    yield from _sbom(found, sealed)


def _digest(sha256: str, sealed: Seal) -> Iterator[str]:
    if sha256 != sealed.pex:
        yield f"pex: its SHA-256 is {sha256}, and {sealed.pex} was sealed"


def _sbom(found: Artifact, sealed: Seal) -> Iterator[str]:
    if found.sbom is None:
        yield "SBOM: missing"
    elif _sha256(found.sbom) != sealed.sbom.get(found.kind):
        yield "SBOM: its content is not what was sealed"


def _image(found: Artifact, sealed: Seal, wanted: Wanted) -> Iterator[str]:
    if not sealed.layers:
        yield "seal: made for a pex alone, without an image"
    most = len(sealed.layers) + 1  # the seal has a layer of its own
    if len(found.layers) > most:
        yield f"layers: {len(found.layers)}, and no more than {most} were made"
    labels = {
        "luggage.seal": _sha256(found.seal or b""),
        "org.opencontainers.image.revision": sealed.manifest.commit or "unversioned",
    }
    platform = sealed.manifest.platform
    yield from configuration.problems(found.configuration or {}, platform, wanted.allow_env, labels)
    yield from _sbom(found, sealed)
    yield from _tree(found, sealed)
    yield from _folder(found, sealed)


def _tree(found: Artifact, sealed: Seal) -> Iterator[str]:
    """Every path against the listings, and the listings against the seal."""
    listed: dict[str, Entry] = {}
    whole = True
    for layer, digest in sorted(sealed.layers.items()):
        path = f"{seal.FOLDER}/{seal.listing(layer)}"
        data = found.texts.get(path)
        if data is None or _sha256(data) != digest:
            why = "missing" if data is None else "not the listing that was sealed"
            yield f"{path!r}: {why}{_UNCOMPARED}"
            whole = False
            continue
        try:
            entries = tree.parse(data)
        except LuggageError as error:  # of a seal that nobody signed
            yield f"{path!r}: {error.message}{_UNCOMPARED}"
            whole = False
            continue
        for entry in entries:
            if listed.setdefault(entry.path, entry) != entry:
                yield f"{entry.path!r}: listed twice, and not equally"
    outside = {path for path in listed.keys() | found.entries.keys() if not _within(path)}
    for path in sorted(outside):
        if path not in listed and not whole:
            continue  # a listing that is not there could name it
        if path not in listed:
            yield f"{path!r}: was added: no listing names it"
        elif path not in found.entries:
            yield f"{path!r}: missing"
        else:
            yield from _differs(listed[path], found.entries[path])


_UNCOMPARED = ": nothing is compared with it"


def _within(path: str) -> bool:
    return path == seal.FOLDER or path.startswith(f"{seal.FOLDER}/")


def _folder(found: Artifact, sealed: Seal) -> Iterator[str]:
    """What lies in the folder of the seal, which is in no listing."""
    names = [seal.FILE, seal.SBOM, *map(seal.listing, sealed.layers)]
    wanted = {f"{seal.FOLDER}/{name}" for name in names}
    signed = f"{seal.FOLDER}/{seal.SIGNATURE}"
    there = {path for path in found.entries if path.startswith(f"{seal.FOLDER}/")}
    for path in sorted(there - wanted - {signed}):
        yield f"{path!r}: was added: the seal does not name it"
    for path in sorted(wanted - there):
        yield f"{path!r}: missing"
    for path in sorted(there & (wanted | {signed})):
        entry = found.entries[path]
        if (entry.kind, entry.mode, entry.uid, entry.gid) != ("file", 0o644, 0, 0):
            yield f"{path!r}: not a file of root's with mode 0644"
    folder = found.entries.get(seal.FOLDER)
    if folder is not None and folder != Entry(seal.FOLDER, "dir", 0o755):
        yield f"{seal.FOLDER!r}: not a folder of root's with mode 0755"


def _differs(wanted: Entry, found: Entry) -> Iterator[str]:
    if wanted == found:
        return
    if wanted.kind != found.kind:
        yield f"{wanted.path!r}: a {found.kind}, and a {wanted.kind} was sealed"
        return
    if (wanted.size, wanted.sha256) != (found.size, found.sha256):
        yield f"{wanted.path!r}: its content is not what was sealed"
    if wanted.target != found.target:
        yield f"{wanted.path!r}: links to {found.target!r}, and {wanted.target!r} was sealed"
    if wanted.mode != found.mode:
        yield f"{wanted.path!r}: mode {found.mode:04o}, and {wanted.mode:04o} was sealed"
    if (wanted.uid, wanted.gid) != (found.uid, found.gid):
        owners = f"{found.uid}:{found.gid}, and {wanted.uid}:{wanted.gid}"
        yield f"{wanted.path!r}: belongs to {owners} was sealed"


def summary(problems: Sequence[str], most: int = 20) -> list[str]:
    """The first of them, and how many there are more."""
    shown = list(problems[:most])
    if more := len(problems) - len(shown):
        shown.append(f"and {more:,} more, {len(problems):,} in all")
    return shown


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
