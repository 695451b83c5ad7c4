"""luggage.buildpex.layers: a tar with nothing of its maker in it."""

from __future__ import annotations

import hashlib
import os
import py_compile
import tarfile
from pathlib import Path

import pytest

from luggage.buildpex import layers
from luggage.errors import LuggageError


def tree(root: Path, *, umask: int, mtime: int) -> Path:
    before = os.umask(umask)
    try:
        (root / "lib/sub").mkdir(parents=True)
        (root / "lib/sub/a.txt").write_text("a")
        (root / "lib/b.txt").write_text("b")
        (root / "run").write_text("#!/bin/sh\n")
        (root / "run").chmod(0o700)
        (root / "lib64").symlink_to("lib")
        (root / "dangling").symlink_to("/usr/bin/nothing")
    finally:
        os.umask(before)
    for path in root.rglob("*"):
        os.utime(path, (mtime, mtime), follow_symlinks=False)
    return root


def test_modes_owners_times_and_the_path_do_not_show(tmp_path: Path) -> None:
    """The same content is the same bytes, whoever made it, where and when."""
    digests = set()
    for number, (umask, mtime) in enumerate([(0o022, 1), (0o077, 2_000_000_000)]):
        root = tree(tmp_path / str(number) / ("x" * number), umask=umask, mtime=mtime)
        layers.write(root, "app", layers.scan(root), tmp_path / "layer.tar")
        digests.add(hashlib.sha256((tmp_path / "layer.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_layer_is_sorted_owned_by_root_and_keeps_links(tmp_path: Path) -> None:
    """What the tar says of every entry."""
    root = tree(tmp_path / "app", umask=0o077, mtime=5)
    layers.write(root, "app", layers.scan(root), tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        members = tar.getmembers()
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {
        (0, 0, "", "", 315_532_800)
    }
    assert [(m.name, m.mode, m.linkname) for m in members] == [
        ("app", 0o755, ""),
        ("app/dangling", 0o777, "/usr/bin/nothing"),
        ("app/lib", 0o755, ""),
        ("app/lib/b.txt", 0o644, ""),
        ("app/lib/sub", 0o755, ""),
        ("app/lib/sub/a.txt", 0o644, ""),
        ("app/lib64", 0o777, "lib"),
        ("app/run", 0o755, ""),
    ]


def test_a_layer_names_the_folders_above_its_entries(tmp_path: Path) -> None:
    """Unpacking over another layer must not stamp those folders with the current time."""
    root = tree(tmp_path / "app", umask=0o022, mtime=5)
    chosen = [entry for entry in layers.scan(root) if entry.path == "lib/sub/a.txt"]
    layers.write(root, "app", chosen, tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert tar.getnames() == ["app", "app/lib", "app/lib/sub", "app/lib/sub/a.txt"]


def test_a_module_tied_to_a_time_is_refused(tmp_path: Path) -> None:
    """A layer has one time for all: a pyc that is checked by its source's time would be stale."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "a.py").write_text("1\n")
    for mode in py_compile.PycInvalidationMode:
        py_compile.compile(str(root / "a.py"), str(root / "a.pyc"), invalidation_mode=mode)
        if mode is py_compile.PycInvalidationMode.TIMESTAMP:
            with pytest.raises(LuggageError, match=r"compiled module 'a\.pyc': tied"):
                layers.write(root, "app", layers.scan(root), tmp_path / "layer.tar")
        else:
            layers.write(root, "app", layers.scan(root), tmp_path / "layer.tar")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Nothing but files, folders and links."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LuggageError, match="neither file, folder nor link"):
        layers.scan(tmp_path)
