"""`git-setup` as a user runs it: real git, in a real clone, and nothing overwritten."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_encrypt import Checkout

DRIVER = "luggage-depot"


def git(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """git as a user has it, without this machine's settings."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{
            f"GIT_{who}_{what}": "a@b"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    return subprocess.run(
        ["git", "-c", "advice.detachedHead=false", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=check,
        timeout=60,
    )


def files(root: Path) -> dict[str, str]:
    """What git-setup may change."""
    paths = [*(root / ".git").glob("config*"), root / ".git/info/attributes"]
    paths += (root / ".git/hooks").glob("pre-commit")
    return {str(path): path.read_text() for path in paths if path.exists()}


def commit(root: Path, message: str = "m") -> None:
    """Commit all there is."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A committed checkout with the environment `demo`."""
    made = Checkout(tmp_path)
    made.run("keygen", "demo")
    commit(tmp_path)
    return made


def two_branches(checkout: Checkout, ours: str, theirs: str) -> None:
    """On each of the branches `ours`, where we are, and `theirs` one name is added."""
    for branch, name in (("theirs", theirs), ("ours", ours)):
        git(
            checkout.root, "checkout", "-q", "-b", branch, "HEAD" if branch == "theirs" else "HEAD~"
        )
        checkout.run("encrypt", name, value=name.encode())
        commit(checkout.root)


def test_set_up_once_two_branches_merge(checkout: Checkout) -> None:
    """What git takes for a conflict is merged, once the clone is set up; said in a line a file."""
    two_branches(checkout, "LINES_API_KEY", "MOOD_API_KEY")
    assert git(checkout.root, "merge", "theirs", check=False).returncode == 1
    git(checkout.root, "merge", "--abort")
    done = checkout.run("git-setup")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        f".git/config: merge driver {DRIVER}",
        f".git/info/attributes: /depot/config.py merge={DRIVER}",
    ]
    assert git(checkout.root, "status", "--porcelain").stdout == ""
    assert git(checkout.root, "merge", "theirs", check=False).returncode == 0
    assert (checkout.open("LINES_API_KEY"), checkout.open("MOOD_API_KEY")) == (
        "LINES_API_KEY",
        "MOOD_API_KEY",
    )
    assert git(checkout.root, "status", "--porcelain").stdout == ""


def test_a_second_time_changes_nothing_and_remove_takes_all_back(checkout: Checkout) -> None:
    """Idempotent; `--remove` leaves what was there before, byte for byte."""
    attributes = checkout.root / ".git/info/attributes"
    attributes.write_text("*.png binary\n# ünicode\n")
    before = files(checkout.root)
    checkout.run("git-setup", "--hook")
    after = files(checkout.root)
    assert len(after) == len(before) + 1
    done = checkout.run("git-setup", "--hook")
    assert (done.stdout, done.stderr) == (b"all is set up already\n", b"")
    assert after == files(checkout.root)
    done = checkout.run("git-setup", "--remove")
    assert (done.stdout.count(b"removed\n"), done.stderr) == (3, b"")
    assert before == files(checkout.root)
    assert checkout.run("git-setup", "--remove").stdout == b"nothing of it was set up\n"


def test_an_existing_hook_is_never_overwritten(checkout: Checkout) -> None:
    """It is refused before anything is changed, with the line to add; ours, changed, is theirs."""
    hook = checkout.root / ".git/hooks/pre-commit"
    checkout.run("git-setup", "--hook")
    assert hook.stat().st_mode & 0o777 == 0o755
    ours = hook.read_text()
    checkout.run("git-setup", "--remove")
    for text in ("#!/bin/sh\nmake lint\n", f"{ours}make lint\n"):
        hook.write_text(text)
        before = files(checkout.root)
        told = checkout.refuse("git-setup", "--hook")
        assert "never overwritten" in told
        assert "-m depot check" in told
        checkout.run("git-setup")
        checkout.run("git-setup", "--remove")
        assert before == files(checkout.root)


def test_the_hook_stops_a_commit_that_check_refuses(checkout: Checkout) -> None:
    """A value in clear is not committed, nor one that hides behind an unstaged change."""
    for name in ("LINES_API_KEY", "MOOD_API_KEY"):
        checkout.run("encrypt", name, value=b"x")
    checkout.run("git-setup", "--hook")
    commit(checkout.root, "sealed")
    good = checkout.config.read_text()
    sealed = next(line for line in good.splitlines() if 'LINES_API_KEY": ' in line)
    checkout.config.write_text(good.replace(sealed, '"LINES_API_KEY": "plain",'))
    git(checkout.root, "add", "-A")
    done = git(checkout.root, "commit", "-m", "m", check=False)
    assert done.returncode == 1
    assert "never sealed" in done.stderr or "not sealed" in done.stderr
    checkout.config.write_text(good)
    done = git(checkout.root, "commit", "-m", "m", check=False)
    assert done.returncode == 1
    assert "staged otherwise than it is" in done.stderr
    git(checkout.root, "reset", "-q")
    (checkout.root / "other.txt").write_text("x")
    commit(checkout.root, "other")


def test_a_hook_whose_python_is_gone_says_what_to_do(checkout: Checkout) -> None:
    """`.venv` was removed: one error, no commit, and the way out, which mends it."""
    for name in ("LINES_API_KEY", "MOOD_API_KEY"):
        checkout.run("encrypt", name, value=b"x")
    commit(checkout.root, "sealed")
    checkout.run("git-setup", "--hook")
    hook = checkout.root / ".git/hooks/pre-commit"
    hook.write_text(hook.read_text().replace(sys.executable, "'/no where/python'"))
    (checkout.root / "other.txt").write_text("x")
    git(checkout.root, "add", "-A")
    done = git(checkout.root, "commit", "-m", "m", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: hook pre-commit: /no where/python is gone\n"
        "hint: python3 -m depot git-setup --hook\n"
    )
    assert b"pre-commit" in checkout.run("git-setup", "--hook").stdout
    assert git(checkout.root, "commit", "-m", "m", check=False).returncode == 0


def test_the_hook_for_pre_commit_runs_check(checkout: Checkout) -> None:
    """What .pre-commit-hooks.yaml names is a command of every deployment."""
    text = (Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml").read_text()
    (entry,) = (line for line in text.splitlines() if line.startswith("  entry: "))
    assert entry == "  entry: python -m deploy check"
    done = checkout.run("check", "--help")
    assert (done.returncode, b"pre-commit" in done.stdout) == (0, True)


def test_a_driver_that_cannot_run_never_merges_silently(checkout: Checkout) -> None:
    """Also where the lines do not conflict: a value sealed to a key that was replaced meanwhile."""
    for name in "ABCDEFGHI":
        checkout.run("encrypt", name, value=b"x")
    commit(checkout.root)
    git(checkout.root, "checkout", "-q", "-b", "theirs")
    checkout.run("encrypt", "I", value=b"new")
    commit(checkout.root)
    git(checkout.root, "checkout", "-q", "-b", "ours", "HEAD~")
    checkout.config.write_text(
        checkout.config.read_text().replace("from luggage", "\nfrom luggage")
    )
    commit(checkout.root)
    checkout.run("git-setup")
    name = f"merge.{DRIVER}.driver"
    driver = git(checkout.root, "config", name).stdout.strip()
    git(checkout.root, "config", name, driver.replace(sys.executable, "/nowhere/python"))
    done = git(checkout.root, "merge", "theirs", check=False)
    assert done.returncode == 1
    assert "which nothing verified" in done.stderr
    assert "<<<<<<<" not in checkout.config.read_text()
    assert "UU depot/config.py" in git(checkout.root, "status", "--porcelain").stdout


def test_a_driver_that_cannot_run_merges_as_text(checkout: Checkout) -> None:
    """Python gone, or the command: git would keep ours alone and lose theirs without a mark."""
    two_branches(checkout, "LINES_API_KEY", "MOOD_API_KEY")
    checkout.run("git-setup")
    name = f"merge.{DRIVER}.driver"
    driver = git(checkout.root, "config", name).stdout.strip()
    for broken in (
        driver.replace(sys.executable, "/nowhere/python"),
        driver.replace("merge-driver", "no-such-command"),
    ):
        assert broken != driver
        git(checkout.root, "config", name, broken)
        done = git(checkout.root, "merge", "theirs", check=False)
        assert done.returncode == 1
        assert "luggage: merged as text" in done.stderr
        text = checkout.config.read_text()
        assert all(it in text for it in ("<<<<<<<", "LINES_API_KEY", "MOOD_API_KEY"))
        git(checkout.root, "merge", "--abort")


@pytest.mark.parametrize("folder", ["sub", "a b", "[x]*", "ü'$HOME"])
def test_a_deployment_in_a_folder_of_the_repository(tmp_path: Path, folder: str) -> None:
    """The package may lie below the top, whatever the folders are called."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / folder).mkdir()
    checkout = Checkout(tmp_path / folder)
    shutil.rmtree(checkout.root / ".git")
    checkout.run("keygen", "demo")
    commit(tmp_path)
    two_branches(checkout, "LINES_API_KEY", "MOOD_API_KEY")
    done = checkout.run("git-setup")
    assert (done.returncode, done.stderr) == (0, b"")
    done = checkout.run("git-setup")
    assert done.stdout == b"all is set up already\n"
    merge = git(tmp_path, "merge", "theirs", check=False)
    assert (merge.returncode, "luggage" in merge.stderr) == (0, False), merge.stderr
    assert checkout.open("LINES_API_KEY") == "LINES_API_KEY"


def test_a_linked_work_tree_is_set_up_with_its_clone(checkout: Checkout) -> None:
    """Work trees share the clone's settings, so one call serves all."""
    two_branches(checkout, "LINES_API_KEY", "MOOD_API_KEY")
    checkout.run("git-setup")
    tree = checkout.root / "tree"
    git(checkout.root, "worktree", "add", "-q", "tree", "theirs")
    assert git(tree, "merge", "ours", check=False).returncode == 0
    assert "LINES_API_KEY" in (tree / "depot/config.py").read_text()


def test_rebase_and_cherry_pick_merge_as_well(checkout: Checkout) -> None:
    """Every git command that merges asks the driver."""
    two_branches(checkout, "LINES_API_KEY", "MOOD_API_KEY")
    checkout.run("git-setup")
    assert git(checkout.root, "cherry-pick", "theirs", check=False).returncode == 0
    git(checkout.root, "reset", "-q", "--hard", "HEAD~")
    assert git(checkout.root, "rebase", "-q", "theirs", check=False).returncode == 0
    assert checkout.open("MOOD_API_KEY") == "MOOD_API_KEY"
    assert checkout.open("LINES_API_KEY") == "LINES_API_KEY"


def test_without_a_repository_it_says_so(tmp_path: Path) -> None:
    """There is nothing to set up where there is no git."""
    checkout = Checkout(tmp_path)
    shutil.rmtree(tmp_path / ".git")
    assert "not in a git repository" in checkout.refuse("git-setup")


def test_an_attribute_that_wins_is_told(checkout: Checkout) -> None:
    """A later line of the same file could send config.py to another driver: never silently."""
    attributes = checkout.root / ".git/info/attributes"
    attributes.write_text(f"/depot/config.py merge={DRIVER}\n*.py merge=union\n")
    done = checkout.run("git-setup")
    assert done.returncode == 1
    assert b"git merges config.py by 'union'" in done.stderr
