"""Git's commits of a config module → the keys and projects that its present ones follow."""

from __future__ import annotations

from dataclasses import dataclass, field

from luggage.commands.repository import RECENT, Repository, Version
from luggage.configfile import history
from luggage.configfile.history import Past
from luggage.errors import LuggageError, UsageError


@dataclass
class Gathered:
    """The earlier states, the newest first, that of the base, and what could not be looked at."""

    states: list[Past] = field(default_factory=list)
    base: Past | None = None
    left_out: list[str] = field(default_factory=list)


def gather(
    git: Repository | None, name: str, base: str | None = None, *, deep: bool = False
) -> Gathered:
    """All that file `name` of the repository's folder was; raises LuggageError."""
    found = Gathered()
    if git is None:
        if base is not None:
            raise UsageError("--base: there is no git repository, or no git")
        found.left_out.append(
            "keys against earlier commits, private keys in tracked files: no git repository"
        )
        return found
    path = git.path(name)
    head = git.resolve("HEAD")
    versions: dict[Version, str] = {}
    if head is None:
        found.left_out.append("keys against earlier commits: there is no commit yet")
    else:
        versions[Version(head, path)] = "HEAD"
    fork = _fork(git, head, base) if base is not None else None
    if fork is not None:
        versions.setdefault(Version(fork, path), "the base")
    turns, whole = git.turning_points(path, deep=deep) if head is not None else ([], True)
    if git.shallow():
        found.left_out.append("keys against older commits: they were not cloned")
    if not whole:
        found.left_out.append(
            f"keys against commits before the last {RECENT} that touched {name}: add --deep"
        )
    for turn in turns:
        versions.setdefault(turn, f"commit {turn.commit[:10]}{_where(turn, path)}")
    for version, text in zip(versions, git.texts(list(versions)), strict=True):
        states = [_read(versions[version], text, name, found)]
        if text is None and version.commit in (head, fork):
            states = _moved(git, version, versions[version], found)
        found.states += [state for state in states if state is not None and state.heads]
        if version.commit == fork:
            found.base = next((state for state in states if state is not None), None)
            if found.base is None:
                raise LuggageError(
                    f"--base: it has no {path}, nor one that moved here: there is nothing to "
                    "compare the keys with",
                    "where this change adds the deployment, check it without --base, and compare "
                    "its key ids yourself",
                )
    return found


def _fork(git: Repository, head: str | None, base: str) -> str:
    other = git.resolve(base)
    if other is None:
        raise UsageError("--base: names no commit", "git fetch the branch first")
    return (git.fork(head, other) if head is not None else None) or other


def _read(label: str, text: bytes | None, name: str, found: Gathered) -> Past | None:
    state = history.past(text, label) if text is not None else None
    if text is not None and state is None:
        found.left_out.append(f"keys against {label}: its {name} is not valid Python")
    return state


def _moved(git: Repository, version: Version, label: str, found: Gathered) -> list[Past | None]:
    """The states of the files that went away where `version` is not there yet."""
    old = [Version(version.commit, it) for it in git.gone(version.path, version.commit)]
    states = [
        _read(f"{label}{_where(it, version.path)}", text, it.path, found)
        for it, text in zip(old, git.texts(old), strict=True)
    ]
    if not states:
        found.left_out.append(f"keys against {label}: it has no {version.path}")
    return states


def _where(version: Version, path: str) -> str:
    return f" ({version.path})" if version.path != path else ""
