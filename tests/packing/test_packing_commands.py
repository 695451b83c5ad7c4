"""`mkpex` and `lock` as a developer types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from packed import ROOT, Checkout, digests

from luggage.buildpex import refresh

pytestmark = pytest.mark.packing


def deploy(project: Checkout, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "example_deploy", *words],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_mkpex_alone_packs_the_same_as_with_wheels(project: Checkout, artifact: Path) -> None:
    """It finds the wheels in build/cache, and packs with the locked tools, not with those here."""
    cache = project.root / "build" / "cache"
    cache.mkdir(parents=True)
    (cache / project.wheels.name).symlink_to(project.wheels)
    done = deploy(project, "mkpex")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{project.root}/build/example.pex\n"
    cache.rename(project.root / "cache")
    assert digests(project.root / "build") == digests(artifact)


def test_mkpex_says_what_is_wrong_with_the_lock_before_it_fetches(project: Checkout) -> None:
    """No network is asked for what cannot be packed."""
    (project.root / "requirements.txt").write_text("flask\n")
    done = deploy(project, "mkpex")
    assert done.returncode == 1
    assert done.stderr.startswith("error: requirements.txt:1: 'flask': not pinned with ==")
    assert not (project.root / "build").exists()


def test_the_committed_locks_are_what_lock_writes(project: Checkout) -> None:
    """`lock` keeps every pin that fits, so nothing changes; a lost line comes back, and is told."""
    for locked in refresh.LOCKS:
        for name in (locked.source, locked.lock):
            (project.root / name).parent.mkdir(exist_ok=True)
            (project.root / name).write_bytes((ROOT / name).read_bytes())
    same = deploy(project, "lock")
    assert (same.returncode, same.stdout) == (0, ""), same.stderr
    assert same.stderr == f"unchanged: {', '.join(it.lock for it in refresh.LOCKS)}\n"

    path = project.root / "luggage/buildpex/tools.txt"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"six==")])
    changed = deploy(project, "lock")
    first, *lines = changed.stdout.splitlines()
    assert first == "luggage/buildpex/tools.txt", changed.stderr
    assert lines[0].split() == ["six", "->", "1.17.0", "added"]
    assert path.read_bytes() == whole
