""".ci/release: what is in the way of a release of luggage."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from releases import ROOT, Checkout, environ

from luggage import __version__
from luggage.errors import LuggageError


@pytest.fixture
def small(tmp_path: Path) -> Checkout:
    """As much as the script reads before it builds; version 1.2.3 is out."""
    made = Checkout(tmp_path / "small")
    (made.root / ".ci").mkdir(parents=True)
    (made.root / "luggage").mkdir()
    shutil.copy(ROOT / ".ci/release", made.root / ".ci")
    for name in ("bootstrap.py", "errors.py"):
        shutil.copy(ROOT / "luggage" / name, made.root / "luggage")
    made.write(".gitignore", "__pycache__\n")
    made.write("luggage/__init__.py", '__version__ = "1.2.3"\n')
    made.write("CHANGELOG.md", "# C\n\n## Unreleased\n\n- New.\n\n## 1.2.3 (2026-01-01)\n\n- x\n")
    made.git("init", "-q", "-b", "main")
    made.commit()
    made.git("tag", "-a", "v1.2.3", "-m", "1.2.3")
    return made


def dirty(checkout: Checkout) -> None:
    checkout.write("left.txt", "")


def nothing_new(checkout: Checkout) -> None:
    old = checkout.read("CHANGELOG.md")
    checkout.write("CHANGELOG.md", old.replace("- New.\n", "### Added\n"))
    checkout.commit()


def untitled(checkout: Checkout) -> None:
    old = checkout.read("CHANGELOG.md")
    checkout.write("CHANGELOG.md", old.replace("## Unreleased", "## Soon"))
    checkout.commit()


def detached(checkout: Checkout) -> None:
    checkout.git("checkout", "-q", "--detach")


def tagged(checkout: Checkout) -> None:
    checkout.git("tag", "v1.3.0")


def clean(_: Checkout) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "version", "told"),
    [
        (dirty, "1.3.0", "the tree differs from its commit:\nerror: ?? left.txt"),
        (nothing_new, "1.3.0", "CHANGELOG.md: nothing under '## Unreleased'"),
        (untitled, "1.3.0", "CHANGELOG.md: nothing under '## Unreleased'"),
        (detached, "1.3.0", "HEAD: on no branch"),
        (tagged, "1.3.0", "tag v1.3.0: is there already"),
        (clean, "1.2.3", "tag v1.2.3: is there already"),
        (clean, "1.2.2", "version 1.2.2: not greater than the last, 1.2.3"),
        (clean, "0.10.0", "version 0.10.0: not greater than the last, 1.2.3"),
        (clean, "1.3", "version '1.3': not three numbers, such as 0.2.0"),
        (clean, "v1.3.0", "version 'v1.3.0': not three numbers, such as 0.2.0"),
        (clean, "1.03.0", "version '1.03.0': not three numbers, such as 0.2.0"),
    ],
)
def test_what_is_in_the_way_is_refused(
    small: Checkout, change: Callable[[Checkout], None], version: str, told: str
) -> None:
    """Before anything is made, and for a dry run as well."""
    change(small)
    before = small.state()
    for words in ([version], [version, "--dry-run"]):
        done = small.release(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            f"error: {told}\nhint: docs/releasing.md tells what a release needs\n"
        )
    assert small.state() == before
    assert not (small.root / "dist").exists()


def test_everything_in_the_way_is_told_at_once(small: Checkout) -> None:
    """One run, all reasons; a released version counts though its tag was not fetched."""
    nothing_new(small)
    dirty(small)
    small.git("tag", "--delete", "v1.2.3")
    told = small.release("1.2.3").stderr
    assert "version 1.2.3: not greater than the last, 1.2.3" in told
    assert "nothing under '## Unreleased'" in told
    assert "?? left.txt" in told


def test_a_tag_that_is_not_there_is_not_built_again(small: Checkout) -> None:
    """It has to be fetched first."""
    done = small.release("9.9.9", "--rebuild")
    assert done.returncode == 1
    assert done.stderr == "error: tag v9.9.9: there is none\nhint: git fetch --tags\n"


def test_a_build_that_fails_leaves_all_as_it_was(small: Checkout) -> None:
    """No commit, no tag, no work tree, no file."""
    small.write("setup.py", "raise SystemExit('no, not today')\n")
    shutil.copy(ROOT / ".ci/release.txt", small.root / ".ci")
    small.write(".gitignore", "__pycache__\n/build/\n")
    small.commit()
    before = small.state()
    done = small.release("1.3.0")
    assert done.returncode == 1
    assert "not today" in done.stderr
    assert small.state() == before
    assert small.git("status", "--porcelain") == ""
    assert not (small.root / "dist").exists()


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script's functions, for somebody whose git has no settings."""
    for name, value in environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("release", str(ROOT / ".ci/release"))
    spec = importlib.util.spec_from_loader("release", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def ahead(checkout: Checkout) -> str:
    """A commit that the branch can move to, but has not."""
    checkout.write("luggage/__init__.py", '__version__ = "1.3.0"\n')
    checkout.commit()
    commit = checkout.git("rev-parse", "HEAD")
    checkout.git("reset", "-q", "--hard", "HEAD~1")
    return commit


def test_the_branch_and_the_tag_move_together(script: ModuleType, small: Checkout) -> None:
    """To the release's commit."""
    commit = ahead(small)
    script.move(small.root, "1.3.0", commit, "notes")
    assert small.git("rev-parse", "HEAD") == small.git("rev-parse", "v1.3.0^{commit}") == commit


def test_no_signature_moves_no_branch(script: ModuleType, small: Checkout) -> None:
    """A tag that cannot be signed leaves all as it was, so that the next run goes."""
    commit, before = ahead(small), small.state()
    small.git("config", "tag.gpgSign", "true")
    small.git("config", "gpg.program", "/bin/false")
    with pytest.raises(LuggageError, match="git tag --annotate: failed"):
        script.move(small.root, "1.3.0", commit, "notes")
    assert small.state() == before


def test_a_branch_that_cannot_move_has_no_tag(script: ModuleType, small: Checkout) -> None:
    """As where a file was changed meanwhile."""
    commit, before = ahead(small), small.state()
    small.write("luggage/__init__.py", "mine\n")
    with pytest.raises(LuggageError, match="git merge --quiet: failed"):
        script.move(small.root, "1.3.0", commit, "notes")
    assert small.state() == before
    assert small.read("luggage/__init__.py") == "mine\n"


def test_other_sums_are_told_and_nothing_is_replaced(script: ModuleType, tmp_path: Path) -> None:
    """Whoever builds a release again wants to know; the same, and the first, are no matter."""
    output = tmp_path / "1.3.0"
    script.compare({"a.whl": b"1"}, output)
    script.publish({"a.whl": b"1"}, output)
    script.compare({"a.whl": b"1"}, output)
    with pytest.raises(LuggageError, match="made otherwise before: nothing is replaced") as told:
        script.compare({"a.whl": b"2"}, output)
    assert told.value.hint == f"to keep both: mv {output} {output}.before"
    assert (output / "a.whl").read_bytes() == b"1"


def test_no_setting_of_git_shows_in_the_files(
    script: ModuleType, small: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's nor the clone's line ends, attributes or modes."""
    before = script.archive(small.root, "HEAD")
    attributes = tmp_path / "attributes"
    attributes.write_text("* text eol=crlf\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\nautocrlf = true\nattributesFile = {attributes}\n[tar]\numask = 0\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    small.git("config", "core.autocrlf", "true")
    plain = ["git", "archive", "--format=tar", "HEAD"]
    assert b"\r\n" in script.run(plain, small.root, os.environ)
    after = script.archive(small.root, "HEAD")
    assert after == before


def test_a_clone_has_the_bytes_of_the_commit(small: Checkout, tmp_path: Path) -> None:
    """Whatever line ends somebody's git is set to: .gitattributes says so."""
    shutil.copy(ROOT / ".gitattributes", small.root)
    small.write("script", "#!/bin/sh\n")
    (small.root / "vector").write_bytes(b"one\r\n")
    small.commit()
    settings = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
    small.git(*settings, "clone", "-q", str(small.root), str(tmp_path / "clone"))
    other = Checkout(tmp_path / "clone")
    assert (other.root / "script").read_bytes() == b"#!/bin/sh\n"
    assert (other.root / "vector").read_bytes() == b"one\r\n"
    assert other.git(*settings, "status", "--porcelain") == ""


def test_a_bare_checkout_tells_its_version() -> None:
    """Without a deployment, a manifest or any package."""
    done = subprocess.run(
        [sys.executable, "-SE", "-m", "luggage", "--version"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"luggage {__version__}\n"
