"""An artifact that is about to open its secrets → what was proved of it, or one refusal.

This catches what was damaged, mixed up or rolled back. It is no proof against who can change the
artifact, and so this check with it: that proof is made from outside (docs/sealing.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luggage.errors import LuggageError, all_wrong
from luggage.proof import manifest, seal
from luggage.proof.image import Place, Proved, image, pex, read
from luggage.proof.manifest import Manifest

if TYPE_CHECKING:
    from luggage.crypto.keys import Bundle

Sealed = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Report:
    """What was proved: how many files and bytes were hashed, and by which key the seal is signed.

    `kind` is `image`, `pex` or, where nothing was packed and so nothing proved, `checkout`.
    `has_signature` says whether there is one, checked or not; `asked` whether the key wants one.
    """

    kind: str
    files: int = 0
    size: int = 0
    serial: int | None = None
    signed_by: str | None = None
    seconds: float | None = None
    has_signature: bool = False
    asked: bool = False

    def __str__(self) -> str:
        if self.kind == "checkout":
            more = ", though the key is for signed releases" if self.asked else ""
            return f"a checkout: not sealed{more}"
        count = "1 file" if self.files == 1 else f"{self.files:,} files"
        by = f"signed by {self.signed_by}" if self.signed_by else "unsigned"
        if self.has_signature and not self.signed_by:
            by = "signature not checked: the key names no verify key"
        serial = "" if self.serial is None else f", serial {self.serial}"
        took = "" if self.seconds is None else f" ({self.seconds * 1000:.0f} ms)"
        return f"{self.kind}: {count} as packed{took}, {by}{serial}"


def check(place: Place, bundle: Bundle | None, sealed: Sealed | None = None) -> Report:
    """Prove that the artifact in `place` is what was packed, and what `bundle` asks for.

    `sealed` are the texts of the sealed values, by environment and secret, as the running config
    module has them. All that is wrong is told in one LuggageError.
    """
    asked = bundle is not None and bundle.verify_key is not None
    if not place.is_packed:
        return Report("checkout", asked=asked)
    data = read(place.site / manifest.FILE)
    kind = "image" if place.is_image else "pex"
    wrong: list[str] = []
    told = _manifest(data, place, wrong)
    proved = image(place, told) if place.is_image else pex(place, told)
    wrong += proved.wrong
    if told and sealed is not None:
        wrong += _sealed(told.sealed, sealed)
    if told is None or wrong:
        raise LuggageError(
            all_wrong([f"this {kind} is not what was packed", *wrong]),
            "get it again from where it was built; nothing was opened",
        )
    signer = _signer(place, told, bundle, proved)
    return Report(
        kind,
        proved.found.files,
        proved.found.size,
        told.serial,
        signer,
        has_signature=proved.signature is not None,
        asked=asked,
    )


def _manifest(data: bytes | None, place: Place, wrong: list[str]) -> Manifest | None:
    if data is None:
        wrong.append(f"{place.site / manifest.FILE}: missing")
        return None
    try:
        return manifest.parse(data)
    except manifest.ManifestError as error:
        wrong.append(error.message)
        return None


def _sealed(packed: Sealed, running: Sealed) -> list[str]:
    """Which sealed values are not those of the manifest, by name."""
    now = {
        (environment, name): hashlib.sha256(text.encode()).hexdigest()
        for environment, values in running.items()
        for name, text in values.items()
    }
    then = {
        (environment, name): digest
        for environment, values in packed.items()
        for name, digest in values.items()
    }
    found = []
    for place in sorted({*now, *then}):
        how = "replaced" if place in now else "removed"
        if now.get(place) != then.get(place):
            how = how if place in then else "added"
            found.append(f"secret '{place[1]}' of environment '{place[0]}': {how} after packing")
    return found


def _signer(place: Place, told: Manifest, bundle: Bundle | None, proved: Proved) -> str | None:
    """The id of the key that signed the seal, where the bundle names one; raises LuggageError."""
    if bundle is None or bundle.verify_key is None:
        return None
    # What needs libsodium is imported last: without a verify key nothing here needs it.
    from luggage.crypto.signing import VerifyKey  # noqa: PLC0415
    from luggage.proof import signature  # noqa: PLC0415

    key = VerifyKey(bundle.verify_key)
    wrong: list[str] = []
    again = "again"
    kind = "image" if place.is_image else "pex"
    if proved.seal is None or proved.signature is None:
        wrong.append(f"this {kind} is unsigned, but the key is for releases signed by {key.id}")
        if not place.is_image:  # it cannot hold its own
            again += f", with {seal.FILE} and {seal.SIGNATURE} beside it"
    else:
        try:
            signature.check(proved.seal, proved.signature, key)
        except signature.SignatureError as error:
            wrong.append(error.message)
    least = bundle.minimum_serial
    if least is not None and (told.serial is None or told.serial < least):
        there = "has no serial" if told.serial is None else f"has serial {told.serial}"
        wrong.append(f"this {kind} {there}, but the key is for {least} and later ones")
    if wrong:
        # To sign it, or to ask for less, is what whoever changed it would want.
        raise LuggageError(
            all_wrong(wrong),
            f"do not run it: get the release {again}, and verify it before it gets a key",
        )
    return key.id
