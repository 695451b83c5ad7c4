"""What belongs together in one release ⇄ the bytes of its seal, which are signed (docs/format.md,
§8). Standard library alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from luggage.proof import canonical, manifest
from luggage.proof.manifest import Manifest

FORMAT = "luggage-seal-v1"
FOLDER = "app/seal"
FILE = "seal.json"
SIGNATURE = "seal.json.sig"
SBOM = "sbom.cdx.json"
PEX_SBOM = "luggage-sbom.cdx.json"  # at the top of a pex
LISTING = ".mtree"

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}")
_DEBIAN_VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]{0,127}")
_LAYER = re.compile(r"[a-z][a-z0-9-]{0,62}")


class SealError(canonical.FormError):
    """Bytes that are no seal; `reason` is one of docs/format.md §11."""

    subject = "seal"


@dataclass(frozen=True)
class Seal:
    """The members of a seal, but for `format`; digests are SHA-256 in hex.

    `layers` has the digest of each layer's listing. `debian` has the version of each of Debian's
    packages. `sbom` has `pex`, and `image` where there are layers.
    """

    manifest: Manifest
    pex: str
    layers: Mapping[str, str]
    debian: Mapping[str, str]
    sbom: Mapping[str, str]


def dump(seal: Seal) -> bytes:
    """The one encoding of a seal; raises SealError where a member breaks its grammar."""
    members = asdict(seal) | {"format": FORMAT, "manifest": manifest.members(seal.manifest)}
    _check(members)
    return canonical.dump(members, SealError)


def parse(data: bytes) -> Seal:
    """The seal in `data`; raises SealError unless `data` is the one encoding of one."""
    members = canonical.parse(data, FORMAT, SealError)
    _check(members)
    found = Seal(
        manifest.of(members["manifest"]),
        **{name: members[name] for name in _MEMBERS if name != "manifest"},
    )
    if dump(found) != data:
        raise SealError("not in canonical form")
    return found


def listing(layer: str) -> str:
    """The file in `FOLDER` that lists what the layer brings."""
    return f"{layer}{LISTING}"


def _check(members: Mapping[str, Any]) -> None:
    canonical.check(members, _MEMBERS, SealError)
    wanted = {"pex", "image"} if members["layers"] else {"pex"}
    if set(members["sbom"]) != wanted:
        raise SealError(
            f"not as docs/format.md says: sbom, which names {', '.join(sorted(wanted))}"
        )
    if members["debian"] and not members["layers"]:
        raise SealError("names packages of Debian, and yet no layers")


def _manifest(value: Any) -> bool:
    try:
        manifest.of(value)
    except manifest.ManifestError:
        return False
    return True


_MEMBERS: Mapping[str, Callable[[Any], bool]] = {
    "manifest": _manifest,
    "pex": canonical.digest,
    "layers": canonical.object_of(canonical.matches(_LAYER), canonical.digest),
    "debian": canonical.object_of(canonical.matches(_PACKAGE), canonical.matches(_DEBIAN_VERSION)),
    "sbom": canonical.object_of(canonical.matches(_LAYER), canonical.digest),
}
