"""Differences → lines, a document, and the one sentence that tells which inputs explain them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from luggage.proof import manifest, seal
from luggage.seal import artifact, configuration
from luggage.seal.artifact import Artifact
from luggage.seal.difference import ADDED, CHANGED, REMOVED, Change

# What one input brings with it, the strongest first.
_INPUTS = {
    "debian": "Debian's packages",
    "wheel": "the locked wheels",
    "lock": "the lock file",
    "tool": "the packing tools",
    "python": "Python",
    "platform": "the platform",
    "commit": "the commit",
    "source": "the sources",
    "secret": "sealed values",
    "serial": "the serial",
    "dirty": "what was not committed",
    "started": "run.docker",
}
_MARKS = {ADDED: "+", REMOVED: "-", CHANGED: "~"}


def sentence(changes: Iterable[Change], one: Artifact, other: Artifact) -> str:
    """The one sentence that tells which inputs explain the changes."""
    listed = list(changes)
    kinds = {change.what for change in listed}
    if not kinds:
        return "equal" if one.kind == other.kind else "equal, as far as a pex and an image can be"
    if kinds & {"project", "entry"}:
        return "they are artifacts of different projects"
    starts = [it.name for it in listed if it.what == "started"]
    foreign = [it for it in starts if not _given(it, kinds, one, other)]
    if foreign == starts:
        kinds.discard("started")
    found = [text for kind, text in _INPUTS.items() if kind in kinds]
    # A commit says why sources differ, and the wheels why the lock file does.
    for strong, weak in (("commit", "source"), ("wheel", "lock"), ("commit", "dirty")):
        if {strong, weak} <= kinds:
            found.remove(_INPUTS[weak])
    if not found and "signature" in kinds:
        found = ["the signature"]
    odd = [it.name for it in listed if it.what == "odd"]
    odd += [
        it.name
        for it in listed
        if it.what == "file" and not all(_explained(it.name, kinds, side) for side in (one, other))
    ]
    count = "1 file, " if len(odd) == 1 else f"{len(odd):,} files, such as "
    rest = [f"{count}{odd[0]!a}"] if odd else []
    if "SBOM" in kinds and not kinds & {"debian", "wheel", "lock", "tool"}:
        rest.append("the SBOM")
    if foreign:
        names = ascii(", ".join(foreign))[1:-1]
        rest.append(f"how it is started ({names}), which is not as luggage's run.docker has it")
    if found and not rest:
        return f"explained by {_joined(found)}"
    if rest:
        first = (
            f"explained by {_joined(found)}, but for" if found else "not explained by any input:"
        )
        return f"{first} {', and '.join(rest)}: another builder, or changed: verify both"
    if kinds <= {"layer", "image"}:
        return "the same in all that is sealed: explained by the engines that made them"
    return "not explained by any input: another zlib, or one of them was changed: verify both"


def _given(name: str, kinds: set[str], one: Artifact, other: Artifact) -> bool:
    """Whether a change of how it is started can be one of luggage's run.docker, which leaves
    nothing but the ports to the project.
    """
    if name in ("architecture", "os"):
        return "platform" in kinds
    if name != "ExposedPorts":
        return False
    told = (
        problem
        for it in (one, other)
        for problem in configuration.problems(it.configuration or {}, it.manifest.platform)
    )
    return not any(it.startswith("configuration: ExposedPorts") for it in told)


def _explained(path: str, kinds: set[str], found: Artifact) -> bool:
    """Whether an input that the file can follow from has changed."""
    inside = path.removeprefix(found.packages)
    if inside in found.manifest.files or inside == manifest.FILE:
        return False  # its bytes are not its manifest's, or its mode is another
    if path.startswith(f"{seal.FOLDER}/"):
        named = path.endswith((f"/{seal.FILE}", seal.LISTING))
        return named and bool(kinds & set(_INPUTS))
    if kinds & {"python", "platform"}:
        return True
    packages = {it.partition("/")[0] for it in found.manifest.files}
    if inside.partition("/")[0] in packages:
        return bool(kinds & {"source", "commit", "dirty"})
    if found.kind == artifact.PEX or path.startswith("app/"):
        # PEX-INFO and the shell's head name the sources as well.
        alone = found.kind == artifact.PEX and not path.startswith((".deps/", ".bootstrap/"))
        return bool(kinds & {"wheel", "lock", "tool", *(("source",) if alone else ())})
    return "debian" in kinds


def document(changes: Iterable[Change], one: Artifact, other: Artifact) -> dict[str, object]:
    """The changes as JSON has them."""
    listed = list(changes)
    return {
        "one": {"kind": one.kind, "name": one.name, "sha256": one.sha256},
        "other": {"kind": other.kind, "name": other.name, "sha256": other.sha256},
        "equal": not listed,
        "sentence": sentence(listed, one, other),
        "changes": [
            {"what": it.what, "name": it.name, "how": it.how, "was": it.was, "now": it.now}
            for it in listed
        ],
    }


def page(changes: Iterable[Change], most: int) -> Iterator[str]:
    """A line a change; of a kind that has more than `most`, the first and how many there are."""
    listed = list(changes)
    for what in dict.fromkeys(it.what for it in listed):
        some = [it for it in listed if it.what == what]
        for it in some[:most]:
            yield f"{_MARKS[it.how]} {what:<10}{_line(it)}"
        if len(some) > most:
            yield f"  {what:<10}… and {len(some) - most:,} more; all of them: --all"


def _line(change: Change) -> str:
    name = ascii(change.name)[1:-1]
    if change.name == change.what:
        name = ""
    if change.how == CHANGED:
        return f"{name}: {change.was} → {change.now}".removeprefix(": ")
    value = change.was if change.now is None else change.now
    return f"{name} {value}".strip()


def _joined(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
