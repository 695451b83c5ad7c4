"""luggage.buildpex.git: what git knows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from luggage.buildpex.git import Git, split
from luggage.errors import LuggageError

ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_DIR": "/nowhere",  # as in a hook: it must not count
}


def git(root: Path, *words: str) -> str:
    name = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *name, *words], cwd=root, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/a.py").write_text("1")
    (tmp_path / "app/é\n.py").write_text("2")
    (tmp_path / ".gitignore").write_text("*.key\n")
    git(tmp_path, "init", "-q")
    return tmp_path


def known(root: Path) -> Git:
    found = Git.of(root, ENVIRON)
    assert found is not None
    return found


def test_tracked_and_new_files_are_known_and_ignored_ones_are_not(root: Path) -> None:
    """Odd names arrive whole; each path once."""
    git(root, "add", "app/a.py")
    (root / "app/ignored.key").write_text("")
    assert known(root).files() == (".gitignore", "app/a.py", "app/é\n.py")


def test_commit_and_difference(root: Path) -> None:
    """No commit at first; then its name; a new, a changed and a deleted file differ from it."""
    assert known(root).commit() is None
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    assert known(root).commit() == git(root, "rev-parse", "HEAD")
    assert not known(root).differs(["app"])
    (root / "other.txt").write_text("")
    assert not known(root).differs(["app"])
    (root / "app/new.py").write_text("")
    assert known(root).differs(["app"])
    (root / "app/new.py").unlink()
    (root / "app/a.py").unlink()
    assert known(root).differs(["app"])


def test_without_a_repository_or_git_there_is_none(tmp_path: Path) -> None:
    """A plain folder has no repository; nor has one where git is not installed."""
    assert Git.of(tmp_path, ENVIRON) is None
    assert Git.of(tmp_path, {"PATH": str(tmp_path)}) is None


def test_a_repository_that_git_will_not_read_is_an_error(root: Path) -> None:
    """Broken is not absent: walking the folder instead would pack what git ignores."""
    (root / ".git/config").write_text("[core\n")
    with pytest.raises(LuggageError, match="git rev-parse"):
        Git.of(root, ENVIRON)


def test_a_name_that_is_not_utf8_is_refused() -> None:
    """A manifest could not name it."""
    with pytest.raises(LuggageError, match="not UTF-8"):
        split(b"a\0\xff\0")
