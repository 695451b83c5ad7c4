"""The text of a list of dead weight, and a wheel's paths → the paths that it can do without.

The grammar, and what is declared, stand in dead-weight.txt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from luggage.buildpex.lock import normalise
from luggage.errors import LuggageError, all_wrong

LIST = Path(__file__).with_name("dead-weight.txt")

_LINE = re.compile(
    r"(?:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*):\s*)?(?P<keep>!)?(?P<path>\S+)"
    r"(?:\s+if\s+(?P<beside>.+?))?(?:\s+unless\s+(?P<unless>.+))?"
)
_PART = re.compile(r"[^\s/]+")
_ALWAYS = re.compile(r"py\.typed$|licen[cs]e|copying|copyright|notice|authors|patents", re.I)


@dataclass(frozen=True)
class Rule:
    """One line: `path` is a glob, `distribution` normalised or None for every wheel."""

    distribution: str | None
    keep: bool
    path: str
    beside: tuple[str, ...]
    unless: tuple[str, ...]


def read(path: Path = LIST) -> tuple[Rule, ...]:
    """The rules of a list; raises LuggageError where it is not one."""
    try:
        return parse(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise LuggageError(f"list '{path.name}': cannot be read: {error}") from error


def parse(text: str, name: str) -> tuple[Rule, ...]:
    """The rules of a list's text; raises one LuggageError that tells every line that is none."""
    rules, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        content = line.partition("#")[0].strip()
        if not content:
            continue
        match = _LINE.fullmatch(content)
        if match is None or not _relative(match["path"]):
            wrong.append(f"{name}:{number}: '{content}': not a rule")
            continue
        rules.append(
            Rule(
                distribution=normalise(match["name"]) if match["name"] else None,
                keep=match["keep"] is not None,
                path=match["path"],
                beside=tuple((match["beside"] or "").split()),
                unless=tuple((match["unless"] or "").split()),
            )
        )
    if wrong:
        raise LuggageError(all_wrong(wrong), f"the head of {name} tells how a rule is written")
    return tuple(rules)


def select(
    paths: Sequence[str],
    distribution: str,
    rules: Iterable[Rule],
    said: Callable[[str], bool],
) -> set[str]:
    """Of a wheel's installed `paths`, those that the rules drop.

    `said` tells whether a word stands in one of the wheel's modules.
    """
    files = [path for path in paths if not path.endswith("/")]
    dropped: set[str] = set()
    kept: set[str] = set()
    for rule in rules:
        if rule.distribution not in (None, distribution):
            continue
        found = _folders(rule, files) if rule.path.endswith("/") else _files(rule, files)
        if found and not any(said(word) for word in rule.unless):
            (kept if rule.keep else dropped).update(found)
    return {path for path in dropped - kept if not _always(path)}


def _relative(path: str) -> bool:
    parts = path.removesuffix("/").split("/")
    return all(_PART.fullmatch(part) and part not in (".", "..") for part in parts)


def _always(path: str) -> bool:
    parts = path.split("/")
    return parts[0].endswith(".dist-info") or _ALWAYS.match(parts[-1]) is not None


def _folders(rule: Rule, files: Sequence[str]) -> set[str]:
    fits = _regex(rule.path.removesuffix("/")).fullmatch
    inside: dict[str, list[str]] = {}
    for path in files:
        for parent in PurePosixPath(path).parents:
            inside.setdefault(parent.as_posix(), []).append(path)
    found: set[str] = set()
    for folder, held in inside.items():
        names = (path.rpartition("/")[2] for path in held)
        if fits(folder) and (not rule.beside or any(_named(n, rule.beside) for n in names)):
            found.update(held)
    return found


def _files(rule: Rule, files: Sequence[str]) -> set[str]:
    fits = _regex(rule.path).fullmatch
    beside: dict[str, list[str]] = {}
    for path in files:
        folder, _, name = path.rpartition("/")
        beside.setdefault(folder, []).append(name)
    found: set[str] = set()
    for path in filter(fits, files):
        folder, _, name = path.rpartition("/")
        wanted = tuple(glob.replace("{stem}", name.split(".")[0]) for glob in rule.beside)
        if not wanted or any(_named(other, wanted) for other in beside[folder]):
            found.add(path)
    return found


def _named(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _regex(glob: str) -> re.Pattern[str]:
    """`**` as a part stands for any folders, or none; `*` stays within a part."""
    text = ""
    for part in glob.split("/"):
        if part == "**":
            text += "(?:[^/]+/)*"
        else:
            text += "".join("[^/]*" if c == "*" else re.escape(c) for c in part) + "/"
    return re.compile(text.removesuffix("/"))
