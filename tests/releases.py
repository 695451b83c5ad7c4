"""A repository with the release script in it, and somebody who runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_ROLES = ("AUTHOR", "COMMITTER")


class Checkout:
    """A repository with one commit, and the release script in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=environ(),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "-q", "-m", "all of it")

    def release(
        self, *words: str, umask: int = 0o022, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ".ci/release", *words],
            cwd=self.root,
            env=environ(**variables),
            umask=umask,
            check=False,
            capture_output=True,
            text=True,
        )

    def state(self) -> tuple[str, str, str]:
        """What no failure may change: the commit, the tags, the work trees."""
        return self.git("rev-parse", "HEAD"), self.git("tag"), self.git("worktree", "list")


def environ(**variables: str) -> dict[str, str]:
    """Somebody's, whose git has no settings."""
    who = {f"GIT_{role}_{it}": "t@example.org" for role in _ROLES for it in ("NAME", "EMAIL")}
    plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return {**os.environ, **who, **plain, **variables}
