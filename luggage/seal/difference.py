"""Two artifacts → in what they differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from luggage.errors import LuggageError
from luggage.proof import seal, tree
from luggage.proof.manifest import FILE, Manifest
from luggage.proof.tree import Entry
from luggage.seal import artifact
from luggage.seal.artifact import Artifact

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
    yield from _pairs("wheel", _wheels(one), _wheels(other))
    yield from _pairs("source", _short(one.files), _short(other.files))
    yield from _pairs("secret", _secrets(one), _secrets(other))


def _sealed(one: Artifact, other: Artifact, alike: bool) -> Iterator[Change]:
    """Debian's packages, and who signed, of two images."""
    if not alike or one.kind == artifact.PEX:
        return
    yield from _pairs("debian", _debian(one), _debian(other))
    signatures = [
        {"signature": it.signature.hex()[:16]} if it.signature else {} for it in (one, other)
    ]
    yield from _pairs("signature", *signatures)


def _files(one: Artifact, other: Artifact) -> Iterator[Change]:
    """Paths, but for the sources, which the manifests name, and for the seal."""
    was, now = (
        {path: entry for path, entry in it.entries.items() if not _named(it, path)}
        for it in (one, other)
    )
    for path in sorted(was.keys() | now.keys()):
        before, after = was.get(path), now.get(path)
        if before != after:
            yield Change("file", path, *_told(before, after))


def _named(found: Artifact, path: str) -> bool:
    inside = path.removeprefix(found.packages)
    return inside in found.manifest.files or inside == FILE or path.startswith(f"{seal.FOLDER}/")


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
    return told


def _layers(found: Artifact) -> dict[str, str]:
    return {
        str(number): f"{layer.diff_id[:19]} {layer.size / 1e6:.1f} MB"
        for number, layer in enumerate(found.layers, 1)
    }


def _debian(found: Artifact) -> Mapping[str, str]:
    try:
        return {} if found.seal is None else seal.parse(found.seal).debian
    except LuggageError:
        return {}


def _wheels(told: Manifest) -> dict[str, str]:
    return {wheel.name: f"{wheel.version} ({wheel.sha256[:12]})" for wheel in told.wheels}


def _secrets(told: Manifest) -> dict[str, str]:
    return {
        f"{environment}/{name}": digest[:12]
        for environment, there in told.sealed.items()
        for name, digest in there.items()
    }


def _short(digests: Mapping[str, str]) -> dict[str, str]:
    return {path: digest[:12] for path, digest in digests.items()}


def _pairs(what: str, one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[Change]:
    for name in sorted(one.keys() | other.keys()):
        was, now = one.get(name), other.get(name)
        if was != now:
            yield Change(what, name, _text(was), _text(now))


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if value is None else str(value)
