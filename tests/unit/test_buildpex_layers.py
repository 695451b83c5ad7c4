"""luggage.buildpex.layers: a tar with nothing of its maker in it."""

from __future__ import annotations

import hashlib
import io
import os
import py_compile
import tarfile
from pathlib import Path

import pytest

from luggage.buildpex import layers
from luggage.errors import LuggageError
from luggage.proof import tree as proof_tree


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
        root = tree(tmp_path / ("x" * number) / str(number) / "app", umask=umask, mtime=mtime)
        layers.write(root.parent, layers.scan(root.parent, "app"), "app", tmp_path / "layer.tar")
        digests.add(hashlib.sha256((tmp_path / "layer.tar").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_layer_is_sorted_owned_by_root_and_keeps_links(tmp_path: Path) -> None:
    """What the tar says of every entry."""
    root = tree(tmp_path / "app", umask=0o077, mtime=5)
    layers.write(root.parent, layers.scan(root.parent, "app"), "app", tmp_path / "layer.tar")
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
        ("app/seal", 0o755, ""),
        ("app/seal/app.mtree", 0o644, ""),
    ]


def test_a_layer_lists_what_it_brings(tmp_path: Path) -> None:
    """The listing in it is that of its members, but for the seal's folder, and its digest told."""
    root = tree(tmp_path / "app", umask=0o077, mtime=5)
    (root / "odd name é*").write_text("odd")
    layer = layers.write(
        tmp_path, layers.scan(tmp_path, "app"), "deps", tmp_path / "layer.tar", {"more": b"1"}
    )
    with tarfile.open(layer.path) as tar:
        listed = tar.extractfile("app/seal/deps.mtree")
        assert listed is not None
        data = listed.read()
        names = {name for name in tar.getnames() if not name.startswith("app/seal")}
        assert tar.extractfile("app/seal/more").read() == b"1"  # type: ignore[union-attr]
    assert hashlib.sha256(data).hexdigest() == layer.listing
    entries = {entry.path: entry for entry in proof_tree.parse(data)}
    assert set(entries) == names
    assert entries["app/lib/b.txt"].sha256 == hashlib.sha256(b"b").hexdigest()
    assert (entries["app/run"].mode, entries["app/lib64"].target) == (0o755, "lib")


def test_a_layer_names_the_folders_above_its_entries(tmp_path: Path) -> None:
    """Unpacking over another layer must not stamp those folders with the current time."""
    tree(tmp_path / "app", umask=0o022, mtime=5)
    entries = layers.scan(tmp_path, "app")
    chosen = [entry for entry in entries if entry.path == "app/lib/sub/a.txt"]
    layers.write(tmp_path, chosen, "app", tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as tar:
        found = [name for name in tar.getnames() if not name.startswith("app/seal")]
    assert found == ["app", "app/lib", "app/lib/sub", "app/lib/sub/a.txt"]


def test_debians_layer_keeps_owners_and_modes(tmp_path: Path) -> None:
    """What made it has normalised it; its own bytes stay in front, and the listing comes last."""
    root = tmp_path / "root.tar"
    with tarfile.open(root, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, mode, owner in (
            (".", tarfile.DIRTYPE, 0o755, 0),
            ("./tmp", tarfile.DIRTYPE, 0o1777, 0),
            ("./run/luggage", tarfile.DIRTYPE, 0o700, 65532),
            ("./usr/bin/python3", tarfile.SYMTYPE, 0o777, 0),
            ("./usr/bin/one", tarfile.REGTYPE, 0o4755, 0),
            ("./usr/bin/other", tarfile.LNKTYPE, 0o4755, 0),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
            member.linkname = {"./usr/bin/other": "./usr/bin/one"}.get(name, "python3.13")
            member.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"abc"))
    layer = layers.extend(root, "root", tmp_path / "out.tar")
    with tarfile.open(layer.path) as tar:
        data = tar.extractfile("app/seal/root.mtree").read()  # type: ignore[union-attr]
        assert tar.getnames()[-3:] == ["app", "app/seal", "app/seal/root.mtree"]
    assert hashlib.sha256(data).hexdigest() == layer.listing
    found = {it.path: (it.kind, it.mode, it.uid, it.size) for it in proof_tree.parse(data)}
    assert found == {
        "tmp": ("dir", 0o1777, 0, None),
        "run/luggage": ("dir", 0o700, 65532, None),
        "usr/bin/python3": ("link", 0o777, 0, None),
        "usr/bin/one": ("file", 0o4755, 0, 3),
        "usr/bin/other": ("file", 0o4755, 0, 3),
    }


def test_a_module_tied_to_a_time_is_refused(tmp_path: Path) -> None:
    """A layer has one time for all: a pyc that is checked by its source's time would be stale."""
    root = tmp_path / "app"
    root.mkdir()
    (root / "a.py").write_text("1\n")
    for mode in py_compile.PycInvalidationMode:
        py_compile.compile(str(root / "a.py"), str(root / "a.pyc"), invalidation_mode=mode)
        if mode is py_compile.PycInvalidationMode.TIMESTAMP:
            with pytest.raises(LuggageError, match=r"compiled module 'app/a\.pyc': tied"):
                layers.write(
                    root.parent, layers.scan(root.parent, "app"), "app", tmp_path / "layer.tar"
                )
        else:
            layers.write(
                root.parent, layers.scan(root.parent, "app"), "app", tmp_path / "layer.tar"
            )


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """Nothing but files, folders and links."""
    (tmp_path / "app").mkdir()
    os.mkfifo(tmp_path / "app/pipe")
    with pytest.raises(LuggageError, match="neither file, folder nor link"):
        layers.scan(tmp_path, "app")
