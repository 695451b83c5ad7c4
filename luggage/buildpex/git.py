"""A folder → what git knows of it: its files, its commit, whether it differs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from luggage.buildpex import process
from luggage.errors import LuggageError

_IN_NO_REPOSITORY = 128


class Git:
    """The repository that a folder lies in."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.root = root
        # Not GIT_DIR and its like: in a hook they name a repository that need not be this folder's.
        self.environ = {k: v for k, v in environ.items() if not k.startswith("GIT_")}
        self.environ["LC_ALL"] = "C.UTF-8"

    @classmethod
    def of(cls, root: Path, environ: Mapping[str, str]) -> Git | None:
        """The repository of `root`, or None where there is none or no git.

        A repository that git will not read, such as one of another user, is an error: the files it
        knows would be unknown.
        """
        if shutil.which("git", path=environ.get("PATH", os.defpath)) is None:
            return None
        git = cls(root, environ)
        status, _, err = git._capture("rev-parse", "--is-inside-work-tree")
        if status == _IN_NO_REPOSITORY and b"not a git repository" in err:
            return None
        git._run("rev-parse", "--is-inside-work-tree")
        return git

    def files(self) -> tuple[str, ...]:
        """Paths relative to the folder: what is tracked, or neither that nor ignored."""
        out = self._run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        return split(out)

    def commit(self) -> str | None:
        """The commit's full name in hex, or None before the first one."""
        status, out, _ = self._capture("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return out.decode("ascii").strip() if status == 0 else None

    def differs(self, paths: Sequence[str]) -> bool:
        """Whether anything under `paths` differs from the commit; what is new and not ignored
        counts, and so does what git was told not to look at.
        """
        listed = self._run("ls-files", "-v", "-z", "--", *paths).split(b"\0")
        hidden = [line for line in listed if line[:1].islower() or line[:1] == b"S"]
        status = ("status", "--porcelain", "-z", "--untracked-files=all")
        return bool(hidden or self._run(*status, "--", *paths))

    def _run(self, *words: str) -> bytes:
        return process.run(
            ["git", *words], environ=self.environ, cwd=self.root, subject=f"git {words[0]}"
        )

    def _capture(self, *words: str) -> tuple[int, bytes, bytes]:
        return process.capture(
            ["git", *words], environ=self.environ, cwd=self.root, subject=f"git {words[0]}"
        )


def split(listing: bytes) -> tuple[str, ...]:
    """The paths of a listing of git's with `-z`, sorted, each once; raises for one not in UTF-8."""
    paths = set()
    for path in listing.split(b"\0"):
        try:
            paths.add(path.decode("utf-8"))
        except UnicodeDecodeError:
            raise LuggageError(f"file {path!r}: its name is not UTF-8", "rename it") from None
    return tuple(sorted(paths - {""}))
