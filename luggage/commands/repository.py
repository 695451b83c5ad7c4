"""A file of a checkout → what git knows of it, as values for the rooms that think."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import process
from luggage.buildpex.git import Git
from luggage.crypto.secret import Secret
from luggage.errors import LuggageError

# Where a key or an epoch may change; so that a commit that only added a secret costs nothing.
_HEADS = "public_key|epoch|lugpub"
_PRIVATE = r"lug(key|bundle)1\.[A-Za-z0-9_-]+"
_NO_MATCH = 1
_AT_ONCE = 16
RECENT = 50


@dataclass(frozen=True)
class Found:
    """A text shaped like a private key, in a file that git tracks; `line` counts from 1."""

    path: Path
    line: int
    key: Secret


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

    def texts(self, name: str, commits: Sequence[str]) -> list[bytes | None]:
        """The bytes of file `name` of this folder in each commit, None where it has none."""
        asked = [["git", "cat-file", "blob", f"{commit}:./{name}"] for commit in commits]
        answers = []
        for start in range(0, len(asked), _AT_ONCE):
            answers += process.capture_all(
                asked[start : start + _AT_ONCE],
                environ=self.environ,
                cwd=self.root,
                subject="git cat-file",
            )
        return [None if status else out for status, out, _ in answers]

    def turning_points(self, name: str, *, deep: bool = False) -> tuple[list[str], bool]:
        """The commits that touched a key or an epoch in file `name`, the newest first, and whether
        that is all of them.

        Every commit has to be compared with the one before it (milliseconds each), so only the
        last RECENT that touched the file are, unless `deep`; the oldest of those counts as one.
        """
        plain = ("log", "--no-show-signature", "--format=%H")
        limit = () if deep else ("-n", str(RECENT + 1))
        touched = (self._line(*plain, *limit, "HEAD", "--", name) or "").split()
        whole = deep or len(touched) <= RECENT
        since = "HEAD" if whole else f"{touched[RECENT]}..HEAD"
        found = self._line(*plain, "--no-textconv", "-G", _HEADS, since, "--", name)
        return [*(found or "").split(), *(() if whole else touched[RECENT:])], whole

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
        """What is shaped like a private key in any tracked file, on disk or in the index."""
        top = self._line("rev-parse", "--show-toplevel")
        if top is None:
            return []
        words = ("grep", "--no-color", "--no-column", "-a", "-z", "-n", "-o", "-E", "-e", _PRIVATE)
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
                path, number, text = _match(line)
                if text:
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


def _match(line: bytes) -> tuple[str, int, str]:
    """`path NUL line NUL text`, as git grep writes it, or nothing."""
    parts = line.split(b"\0")
    if len(parts) != 3 or not parts[1].isdigit() or not re.fullmatch(_PRIVATE.encode(), parts[2]):
        return "", 0, ""
    return parts[0].decode("utf-8", "replace"), int(parts[1]), parts[2].decode()
