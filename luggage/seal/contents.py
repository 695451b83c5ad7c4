"""An artifact → what is in it, as a document and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from luggage.errors import LuggageError
from luggage.proof import seal
from luggage.proof.manifest import Manifest
from luggage.seal.artifact import Artifact

_BIGGEST = 8
_DEPTH = 6  # parts of a path that name a folder: app/lib/python3.13/site-packages/NAME is five


def document(found: Artifact, secrets: Sequence[Mapping[str, Any]], signed: str) -> dict[str, Any]:
    """Everything that is told, as JSON has it; `secrets` is by environment, `signed` is who did."""
    told = found.manifest
    sealed = _seal(found)
    return {
        "kind": found.kind,
        "name": found.name,
        "sha256": found.sha256,
        "size": found.size,
        "squeezed": sum(it.squeezed or 0 for it in found.layers) or None,
        "project": told.project,
        "entry": told.entry,
        "commit": told.commit,
        "dirty": told.dirty,
        "serial": told.serial,
        "python": told.python,
        "platform": told.platform,
        "lock": told.lock,
        "tools": dict(told.tools),
        "signed": signed,
        "packages": packages(told),
        "wheels": [asdict(wheel) for wheel in told.wheels],
        "debian": dict(sealed.debian) if sealed else {},
        "environments": [dict(it) for it in secrets],
        "layers": [asdict(layer) for layer in found.layers],
        "biggest": [{"path": path, "size": size} for path, size in biggest(found)],
        "files": sum(entry.kind == "file" for entry in found.entries.values()),
        "configuration": (found.configuration or {}).get("config"),
        "odd": list(found.odd),
    }


def packages(told: Manifest) -> dict[str, int]:
    """How many files each package of the project has."""
    return dict(sorted(Counter(path.partition("/")[0] for path in told.files).items()))


def biggest(found: Artifact) -> list[tuple[str, int]]:
    """The folders with most bytes, none of which lies in another: two thirds of a folder's bytes in
    one folder below it name that one instead.
    """
    sizes: Counter[str] = Counter()
    for path, entry in found.entries.items():
        parts = path.split("/")[:-1]
        for depth in range(1, min(len(parts), _DEPTH) + 1):
            sizes["/".join(parts[:depth])] += entry.size or 0
    below: dict[str, list[str]] = {}
    for path in sizes:
        below.setdefault(path.rpartition("/")[0], []).append(path)
    shown: list[tuple[str, int]] = []
    open_ = list(below.get("", []))
    while open_:
        path = open_.pop()
        inner = below.get(path, [])
        if inner and sum(sizes[it] for it in inner) * 3 > sizes[path] * 2:
            open_ += inner
        else:
            shown.append((path, sizes[path]))
    return sorted(shown, key=lambda it: (-it[1], it[0]))[:_BIGGEST]


def page(told: Mapping[str, Any]) -> str:
    """The document for people: a word, then what it is."""
    lines: list[str] = []
    for word, texts in _sections(told):
        for number, text in enumerate(texts):
            lines.append(f"{'' if number else word:<12}{text}".rstrip())
    return "\n".join(lines)


def _sections(told: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    commit = told["commit"] or "none"
    squeezed = f" (compressed about {_size(told['squeezed'])})" if told["squeezed"] else ""
    whole = f"{_size(told['size'])}{squeezed}, {_files(told['files'])}"
    yield told["kind"], [f"{told['name']}, {whole}"]
    yield "sha256", [told["sha256"]]
    yield "project", [f"{told['project']}, which runs {told['entry']}"]
    yield "commit", [f"{commit}{', dirty' if told['dirty'] else ''}"]
    yield "serial", [str(told["serial"] or "none")]
    yield "signed", [told["signed"]]
    yield "python", [f"{told['python']}, {told['platform']}"]
    yield "packages", [f"{name}, {_files(count)}" for name, count in told["packages"].items()]
    yield "wheels", [f"{it['name']} {it['version']}" for it in told["wheels"]]
    yield "debian", [f"{name} {version}" for name, version in sorted(told["debian"].items())]
    yield "tools", [f"{name} {version}" for name, version in sorted(told["tools"].items())]
    yield "secrets", list(_secrets(told["environments"]))
    yield "layers", [_layer(it) for it in told["layers"]]
    yield (
        "biggest",
        [f"{_size(it['size']):>9}  {ascii(it['path'])[1:-1]}" for it in told["biggest"]],
    )
    yield "started", list(_started(told["configuration"] or {}))
    yield "odd", told["odd"]


def _secrets(environments: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for it in environments:
        yield f"{it['environment']}: key {it['key_id']}, epoch {it['epoch']}{_opens(it['opens'])}"
        for secret in it["secrets"]:
            yield f"  {secret['name']}{_opens(secret['opens'])}"


def _opens(opens: bool | None) -> str:
    return (
        "" if opens is None else ": this key opens it" if opens else ": this key does not open it"
    )


def _layer(it: Mapping[str, Any]) -> str:
    squeezed = "" if it["squeezed"] is None else f", compressed about {_size(it['squeezed'])}"
    return f"{it['diff_id'][:19]}  {_size(it['size'])}{squeezed}, {_files(it['files'])}"


def _started(configuration: Mapping[str, Any]) -> Iterator[str]:
    for word in ("Entrypoint", "Cmd", "User", "Env"):
        if configuration.get(word):
            value = configuration[word]
            words = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{word}: {ascii(words)[1:-1]}"


def _seal(found: Artifact) -> seal.Seal | None:
    try:
        return None if found.seal is None else seal.parse(found.seal)
    except LuggageError:
        return None


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
