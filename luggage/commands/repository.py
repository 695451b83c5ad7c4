"""A file of a checkout → what git knows of it, as values for the rooms that think."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import process
from luggage.buildpex.git import Git
from luggage.configfile import leaked
from luggage.crypto.secret import Secret
from luggage.errors import LuggageError

# Where a key or an epoch may change; so that a commit that only added a secret costs nothing.
_HEADS = "public_key|epoch|lugpub|project"
_NO_MATCH = 1
_AT_ONCE = 16
_MOST_MOVES = 8
RECENT = 50


@dataclass(frozen=True)
class Found:
    """A text shaped like a private key, in a file that git tracks; `line` counts from 1."""

    path: Path
    line: int
    key: Secret


@dataclass(frozen=True)
class Version:
    """A file, from the top of the repository, as a commit has it."""

    commit: str
    path: str


class Repository(Git):
    """The repository that a folder lies in, asked about single files of it."""

    def resolve(self, revision: str) -> str | None:
        """The full name of the commit that `revision` names, or None."""
        word = f"{revision}^{{commit}}"
        return self._line("rev-parse", "--verify", "--quiet", "--end-of-options", word)

    def fork(self, one: str, other: str) -> str | None:
        """The newest commit that both have in their history, or None."""
        return self._line("merge-base", "--end-of-options", one, other)

    def shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return self._line("rev-parse", "--is-shallow-repository") == "true"

    def path(self, name: str) -> str:
        """File `name` of this folder, from the top of the repository."""
        return (self._line("rev-parse", "--show-prefix") or "") + name

    def texts(self, versions: Sequence[Version]) -> list[bytes | None]:
        """The bytes of each version of a file, None where its commit has no such file."""
        asked = [["git", "cat-file", "blob", f"{it.commit}:{it.path}"] for it in versions]
        answers = []
        for start in range(0, len(asked), _AT_ONCE):
            answers += process.capture_all(
                asked[start : start + _AT_ONCE],
                environ=self.environ,
                cwd=self.root,
                subject="git cat-file",
            )
        return [None if status else out for status, out, _ in answers]

    def turning_points(self, path: str, *, deep: bool = False) -> tuple[list[Version], bool]:
        """The versions of a file at which a key or an epoch changed, the newest first, and whether
        that is all of them.

        Where a commit brought the file, a file of the same name that went away with it is followed:
        however little is left of its text, as whoever moves it chooses that.
        """
        found: dict[Version, None] = {}
        whole = True
        todo, seen = [Version("HEAD", path)], set[Version]()
        while todo and len(seen) < _MOST_MOVES:
            start = todo.pop(0)
            seen.add(start)
            commits, all_of_them = self._turning_points(start, deep=deep)
            whole &= all_of_them
            found.update(dict.fromkeys(Version(commit, start.path) for commit in commits))
            for line in self._log(start, "--diff-filter=A", "--format=%H %P"):
                commit, *parents = line.split()
                for parent in parents:
                    moved = [Version(parent, it) for it in self.gone(path, parent, commit)]
                    found.update(dict.fromkeys(moved))
                    todo += [it for it in moved if it not in seen]
        return list(found), whole and not todo

    def _turning_points(self, start: Version, *, deep: bool) -> tuple[list[str], bool]:
        """Every commit has to be compared with the one before it (milliseconds each), so only the
        last RECENT that touched the file are, unless `deep`; the oldest of those counts as one.
        """
        limit = () if deep else ("-n", str(RECENT + 1))
        touched = self._log(start, *limit)
        whole = deep or len(touched) <= RECENT
        commit = start.commit if whole else f"{touched[RECENT]}..{start.commit}"
        # Attributes that the repository sets must not hide a change: nor may a merge.
        found = self._log(
            Version(commit, start.path), "--text", "--no-textconv", "--no-ext-diff", "-G", _HEADS
        )
        return [*found, *(() if whole else touched[RECENT:])], whole

    def _log(self, start: Version, *words: str) -> list[str]:
        plain = ("log", "--no-show-signature", "--full-history", "--no-renames", "--format=%H")
        found = self._line(*plain, *words, start.commit, "--", f":(top,literal){start.path}")
        return (found or "").splitlines()

    def gone(self, path: str, before: str, after: str | None = None) -> list[str]:
        """The files named as `path` is, in other folders, that commit `before` has and `after`, or
        the working tree, has not.
        """
        words = ("--no-renames", "--diff-filter=D", "--name-only", "-z", before)
        command = ("diff-tree", "-r", *words, after) if after else ("diff", *words)
        status, out, _ = self._capture(*command, "--")
        name = Path(path).name
        paths = [it.decode("utf-8", "replace") for it in out.split(b"\0")] if not status else []
        return [it for it in paths if Path(it).name == name and it != path]

    def blame(self, name: str) -> bytes | None:
        """The porcelain of `git blame`, or None for a file that git does not track."""
        status, out, _ = self._capture("blame", "--porcelain", "--no-textconv", "--", name)
        return None if status else out

    def tracks(self, name: str) -> bool:
        """Whether file `name` of this folder is tracked."""
        return self._capture("ls-files", "--error-unmatch", "--", name)[0] == 0

    def first_commit(self, name: str) -> tuple[str, str] | None:
        """The hash and day of the oldest commit of any branch that has file `name`, or None."""
        words = ("--no-show-signature", "--all", "--format=%h %as", "--diff-filter=A")
        found = self._line("log", *words, "--", name)
        if not found:
            return None
        commit, _, day = found.splitlines()[-1].partition(" ")
        return commit, day

    def private_keys(self) -> list[Found]:
        """What is shaped like a private key in any tracked file, on disk or in the index; in base64
        as well, as far as it stands in one line.
        """
        top = self._line("rev-parse", "--show-toplevel")
        if top is None:
            return []
        patterns = [word for pattern in leaked.PATTERNS for word in ("-e", pattern)]
        words = ("grep", "--no-color", "--no-column", "-a", "-z", "-n", "-o", "-E", *patterns)
        answers = process.capture_all(
            [["git", *words], ["git", *words[:1], "--cached", *words[1:]]],
            environ=self.environ,
            cwd=Path(top),
            subject="git grep",
        )
        found: dict[tuple[str, int, str], Found] = {}
        for status, out, err in answers:
            if status not in (0, _NO_MATCH):
                why = err.decode(errors="replace").strip()
                raise LuggageError(f"git grep: cannot look for private keys: {why}")
            for line in out.split(b"\n"):
                path, number, coded = _match(line)
                for text in leaked.candidates(coded):
                    found[path, number, text] = Found(Path(top) / path, number, Secret(text))
        return [found[place] for place in sorted(found)]

    def _line(self, *words: str) -> str | None:
        status, out, _ = self._capture(*words)
        return out.decode("ascii", "replace").strip() or None if status == 0 else None


def of(folder: Path, environ: Mapping[str, str]) -> Repository | None:
    """The repository of `folder`, or None where there is none or no git; raises LuggageError for
    one that git will not read.
    """
    found = Repository.of(folder, environ)
    assert found is None or isinstance(found, Repository)  # noqa: S101 - `of` makes its own class
    return found


def readable(folder: Path, environ: Mapping[str, str]) -> Repository | None:
    """As `of`, but with a warning instead of an error."""
    try:
        return of(folder, environ)
    except LuggageError as error:
        print(f"warning: git is not asked: {error.message}", file=sys.stderr)
        return None


def _match(line: bytes) -> tuple[str, int, bytes]:
    """`path NUL line NUL text`, as git grep writes it, or nothing."""
    parts = line.split(b"\0")
    if len(parts) != 3 or not parts[1].isdigit():
        return "", 0, b""
    return parts[0].decode("utf-8", "replace"), int(parts[1]), parts[2]
