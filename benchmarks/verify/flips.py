"""One byte of a pex or of the tar of an image's layer flipped → whether `verify` refuses it."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from luggage.crypto import signing
from luggage.crypto.signing import VerifyKey
from luggage.errors import LuggageError
from luggage.proof.tree import Entry
from luggage.seal import artifact, verify
from luggage.seal.artifact import Artifact
from luggage.seal.layered import Place, Tree
from luggage.seal.verify import Given, Wanted


@dataclass(frozen=True)
class Case:
    """One byte: of the pex where `layer` is None, else of that layer's tar."""

    file: str
    layer: int | None
    at: int
    by: int
    seal: bytes
    signature: bytes
    key: bytes


def cases(pex: Path, image: Path, count: int, chance: random.Random) -> Iterator[Case]:
    """Half of the pex, half of the image's layers, any byte as likely as any other.

    Both are signed here, with a key that is made for it; and what is not changed verifies.
    """
    key = signing.generate()
    for file, cases in ((pex, count - count // 2), (image, count // 2)):
        found = artifact.load(file)
        beside = file.parent / "seal.json"
        given = verify.given(found, None if found.seal else beside.read_bytes(), None)
        given = Given(given.seal, key.sign(given.seal))
        if problems := verified(found, given, key.public):
            raise LuggageError(f"{file}: does not verify as it is: {problems[0]}")
        sizes = [found.size] if found.kind == artifact.PEX else [it.size for it in found.layers]
        for _ in range(cases):
            at = chance.randrange(sum(sizes))
            layer = 0
            while at >= sizes[layer]:
                at -= sizes[layer]
                layer += 1
            which = None if found.kind == artifact.PEX else layer
            by = chance.randrange(1, 256)
            yield Case(str(file), which, at, by, given.seal, given.signature or b"", key.public.raw)


def verified(found: Artifact, given: Given, key: VerifyKey) -> tuple[str, ...]:
    """What is wrong with the artifact; nothing where it is taken."""
    # A signature that the image has already is by another key than this one.
    texts = {path: it for path, it in found.texts.items() if not path.endswith(".sig")}
    return verify.verify(replace(found, texts=texts), given, Wanted(key)).problems


def run(case: Case) -> tuple[Case, bool]:
    """Whether the changed artifact is refused, with what is changed read anew as it would be."""
    given, key = Given(case.seal, case.signature), VerifyKey(case.key)
    try:
        if case.layer is None:
            data = bytearray(_read(case.file))
            data[case.at] ^= case.by
            with tempfile.TemporaryDirectory(prefix="luggage-") as folder:
                path = Path(folder) / "changed.pex"
                path.write_bytes(data)
                return case, bool(verified(artifact.load(path), given, key))
        return case, bool(verified(_changed(case), given, key))
    except LuggageError:
        return case, True


def _changed(case: Case) -> Artifact:
    """The image with a byte of one layer changed, whose digest was made to fit: as whoever changes
    an image does.
    """
    assert case.layer is not None
    found, layers = _image(case.file)
    data = layers[case.layer]
    tree = Tree()
    tree.entries, tree.texts = _others(case.file, case.layer)
    with data.getbuffer() as view:
        view[case.at] ^= case.by
        size, digest = len(view), hashlib.sha256(view).hexdigest()
    try:
        tree.add(data, Place(0, size), f"sha256:{digest}", squeeze=False)
    finally:
        with data.getbuffer() as view:
            view[case.at] ^= case.by
    return replace(found, entries=tree.entries, texts=tree.texts, odd=tuple(tree.odd))


@cache
def _read(file: str) -> bytes:
    return Path(file).read_bytes()


@cache
def _image(file: str) -> tuple[Artifact, list[io.BytesIO]]:
    """What the image holds, and the tar of each layer."""
    with tarfile.open(file) as archive:
        described = json.loads(_member(archive, "manifest.json"))
        layers = [io.BytesIO(_member(archive, it)) for it in described[0]["Layers"]]
    return artifact.load(Path(file)), layers


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(name)
    assert found is not None
    return found.read()


@cache
def _layer(file: str, number: int) -> Tree:
    data = _image(file)[1][number]
    tree = Tree()
    diff_id = f"sha256:{hashlib.sha256(data.getvalue()).hexdigest()}"
    tree.add(data, Place(0, len(data.getbuffer())), diff_id, squeeze=False)
    return tree


def _others(file: str, layer: int) -> tuple[dict[str, Entry], dict[str, bytes]]:
    """Entries and texts of all layers but one."""
    entries: dict[str, Entry] = {}
    texts: dict[str, bytes] = {}
    for number in range(len(_image(file)[1])):
        if number != layer:
            entries |= _layer(file, number).entries
            texts |= _layer(file, number).texts
    return entries, texts
