"""Two artifacts → in what they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from luggage.errors import LuggageError
from luggage.proof import seal, tree
from luggage.proof.manifest import FILE, Manifest, Wheel
from luggage.proof.tree import Entry
from luggage.seal import artifact, configuration
from luggage.seal.artifact import Artifact

_SBOM = f"{seal.FOLDER}/{seal.SBOM}"
_SIGNATURE = f"{seal.FOLDER}/{seal.SIGNATURE}"
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True)
class Change:
    """One difference: what kind of thing, its name, and how it was and is; None where it is not."""

    what: str
    name: str
    was: str | None
    now: str | None

    @property
    def how(self) -> str:
        """`added`, `removed` or `changed`."""
        return ADDED if self.was is None else REMOVED if self.now is None else CHANGED


def compare(one: Artifact, other: Artifact) -> tuple[Change, ...]:
    """Everything that differs; of a pex and an image what both have, their manifests."""
    alike = one.kind == other.kind
    changes = [*_described(one.manifest, other.manifest), *_sealed(one, other, alike)]
    if alike:
        changes += _files(one, other)
        changes += _pairs("started", _started(one), _started(other))
        changes += _pairs("layer", _layers(one), _layers(other))
        changes += _pairs(one.kind, {"sha256": one.sha256}, {"sha256": other.sha256})
    return tuple(changes)


def _described(one: Manifest, other: Manifest) -> Iterator[Change]:
    for word in ("project", "entry", "commit", "dirty", "serial", "python", "platform", "lock"):
        yield from _pairs(word, {word: getattr(one, word)}, {word: getattr(other, word)})
    yield from _pairs("tool", one.tools, other.tools)
    yield from _pairs("wheel", _wheels(one), _wheels(other), _wheel)
    yield from _pairs("source", one.files, other.files, _short)
    yield from _pairs("secret", _secrets(one), _secrets(other), _short)


def _sealed(one: Artifact, other: Artifact, alike: bool) -> Iterator[Change]:
    """Debian's packages, the SBOM, and who signed, of two images."""
    if not alike or one.kind == artifact.PEX:
        return
    debian = [_debian(it) for it in (one, other)]
    if debian[0] is not None and debian[1] is not None:
        yield from _pairs("debian", debian[0], debian[1])
    for name, path in (("SBOM", _SBOM), ("signature", _SIGNATURE)):
        digests = [_digest(it, name, path) for it in (one, other)]
        yield from _pairs(name, digests[0], digests[1], _short)
    yield from _pairs("odd", _odd(one), _odd(other))


def _files(one: Artifact, other: Artifact) -> Iterator[Change]:
    """Paths, but for those whose bytes alone differ, in a way that is told elsewhere."""
    for path in sorted(one.entries.keys() | other.entries.keys()):
        before, after = one.entries.get(path), other.entries.get(path)
        if before == after:
            continue
        if _is_told(one, before, path) and _is_told(other, after, path):
            alike = before is None or after is None or _kept(before) == _kept(after)
            if alike:
                continue
        yield Change("file", path, *_told(before, after))


def _is_told(found: Artifact, entry: Entry | None, path: str) -> bool:
    """Whether another kind of change tells the file's bytes: a source that is the manifest's, the
    manifest itself, the SBOM, the signature.
    """
    inside = path.removeprefix(found.packages)
    named = found.manifest.files.get(inside)
    if entry is None or entry.kind != "file":
        return entry is None and named is None
    if found.kind == artifact.IMAGE and path in (_SBOM, _SIGNATURE):
        return True
    return inside == FILE or (named is not None and entry.sha256 == named)


def _kept(entry: Entry) -> tuple[object, ...]:
    return entry.kind, entry.mode, entry.uid, entry.gid


def _digest(found: Artifact, name: str, path: str) -> dict[str, str]:
    entry = found.entries.get(path)
    return {} if entry is None or entry.sha256 is None else {name: entry.sha256}


def _odd(found: Artifact) -> dict[str, str]:
    """What no image of ours has."""
    told = [*found.odd, *(["the seal cannot be read"] if _debian(found) is None else [])]
    return dict.fromkeys(told, "odd")


def _told(before: Entry | None, after: Entry | None) -> tuple[str | None, str | None]:
    """A listing's words for both; where both are there, those that differ."""
    words = [_words(it) if it else [] for it in (before, after)]
    if before and after:
        words = [[it for it in one if it not in other] for one, other in (words, words[::-1])]
    first, second = (" ".join(it) for it in words)
    return first if before else None, second if after else None


def _words(entry: Entry) -> list[str]:
    words = tree.line(entry).decode().split(" ")[1:]
    return [word[:25] if word.startswith("sha256digest") else word for word in words]


def _started(found: Artifact) -> dict[str, str]:
    config = (found.configuration or {}).get("config")
    if not isinstance(config, dict):
        return {}
    # Which engine made it, from which commit: told elsewhere.
    left = ("Labels", "Image", "Hostname", "ArgsEscaped")
    told = {word: ascii(value) for word, value in config.items() if value and word not in left}
    if config.get("WorkingDir") == "/":  # as if there were none
        del told["WorkingDir"]
    env = config.get("Env")
    if isinstance(env, list):
        told.pop("Env", None)
        pairs = (str(it).partition("=") for it in env)
        told |= {f"Env {name}": ascii(value) for name, _, value in pairs}
    labels = config.get("Labels")
    for name, value in labels.items() if isinstance(labels, dict) else ():
        if configuration.LABEL.fullmatch(name) is None:  # others obey labels
            told[f"Labels {name}"] = ascii(value)
    for word in ("architecture", "os"):
        told[word] = ascii((found.configuration or {}).get(word))
    return told


def _layers(found: Artifact) -> dict[str, str]:
    return {
        str(number): f"{layer.diff_id[:19]} {layer.size / 1e6:.1f} MB"
        for number, layer in enumerate(found.layers, 1)
    }


def _debian(found: Artifact) -> Mapping[str, str] | None:
    """Debian's packages, or None where there is no seal that tells them."""
    try:
        return None if found.seal is None else seal.parse(found.seal).debian
    except LuggageError:
        return None


def _wheels(told: Manifest) -> dict[str, Wheel]:
    return {wheel.name: wheel for wheel in told.wheels}


def _wheel(value: Any) -> str | None:
    return None if value is None else f"{value.version} ({value.sha256[:12]})"


def _secrets(told: Manifest) -> dict[str, str]:
    return {
        f"{environment}/{name}": digest
        for environment, there in told.sealed.items()
        for name, digest in there.items()
    }


def _pairs(
    what: str,
    one: Mapping[str, object],
    other: Mapping[str, object],
    told: Callable[[object], str | None] | None = None,
) -> Iterator[Change]:
    """What differs under each name; `told` makes of a value what is shown of it."""
    for name in sorted(one.keys() | other.keys()):
        was, now = one.get(name), other.get(name)
        if was != now:
            yield Change(what, name, *map(told or _text, (was, now)))


def _short(digest: object) -> str | None:
    return None if digest is None else str(digest)[:12]


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)
