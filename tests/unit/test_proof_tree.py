"""luggage.proof.tree: one listing for a tree (docs/format.md, §7)."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luggage.errors import LuggageError
from luggage.proof import tree
from luggage.proof.tree import Entry, TreeError

ROOT = Path(__file__).parents[2]
D = "0123456789abcdef" * 4
ENTRIES = (
    Entry("app", "dir", 0o755),
    Entry("app/a b", "file", 0o644, 3, D),
    Entry("app/bin", "link", 0o777, target="../usr/b=n"),
    Entry("app/é[*?]#=\\", "file", 0o4755, 0, D),
    Entry("run/luggage", "dir", 0o1777, uid=65532, gid=65532),
)
TEXT = rf"""#mtree
./app type=dir mode=0755 uid=0 gid=0
./app/a\040b type=file mode=0644 uid=0 gid=0 size=3 sha256digest={D}
./app/bin type=link mode=0777 uid=0 gid=0 link=../usr/b\075n
./app/\303\251\133\052\077]\043\075\134 type=file mode=4755 uid=0 gid=0 size=0 sha256digest={D}
./run/luggage type=dir mode=1777 uid=65532 gid=65532
""".encode()


def test_dump_and_parse_are_a_pair() -> None:
    """The literal bytes, whatever the order of the entries, and back."""
    assert tree.dump(reversed(ENTRIES)) == TEXT
    assert tree.parse(TEXT) == ENTRIES
    assert tree.parse(b"#mtree\n") == ()


CHANGES = {
    "no-head": (b"#mtree\n", b""),
    "head": (b"#mtree\n", b"#mtree v1\n"),
    "no-end": (b"gid=65532\n", b"gid=65532"),
    "empty-line": (b"#mtree\n", b"#mtree\n\n"),
    "carriage-return": (b"\n", b"\r\n"),
    "two-spaces": (b" type=dir", b"  type=dir"),
    "order-of-words": (b"uid=0 gid=0", b"gid=0 uid=0"),
    "order-of-lines": (b"./run/luggage", b"./aaa"),
    "escape-upper": (rb"\040", rb"\x20"),
    "escape-needless": (b"app/bin", rb"app/b\151n"),
    "not-escaped": (rb"\043", b"#"),
    "escape-short": (rb"\040", rb"\40"),
    "nul": (rb"\040", rb"\000"),
    "no-dot": (b"./app type", b"app type"),
    "dots": (b"./app/bin", b"./app/.."),
    "dot": (b"./app/bin", b"./app/./bin"),
    "empty-part": (b"./app/bin", b"./app//bin"),
    "slash": (b"./app type", b"./app/ type"),
    "mode-three": (b"mode=0755", b"mode=755"),
    "mode-five": (b"mode=0755", b"mode=00755"),
    "mode-octal": (b"mode=0755", b"mode=0758"),
    "uid-zero": (b"uid=0", b"uid=00"),
    "uid-negative": (b"uid=0", b"uid=-1"),
    "size-zero": (b"size=3", b"size=03"),
    "digest-short": (D.encode(), D[1:].encode()),
    "digest-upper": (D.encode(), D.upper().encode()),
    "kind": (b"type=dir", b"type=char"),
    "file-without-size": (b" size=3", b""),
    "dir-with-size": (
        b"./app type=dir mode=0755 uid=0 gid=0",
        b"./app type=dir mode=0755 uid=0 gid=0 size=0",
    ),
    "dir-with-link": (
        b"./app type=dir mode=0755 uid=0 gid=0",
        b"./app type=dir mode=0755 uid=0 gid=0 link=x",
    ),
    "link-without-target": (rb" link=../usr/b\075n", b""),
    "link-empty": (rb"link=../usr/b\075n", b"link="),
    "word-more": (b"gid=0\n", b"gid=0 time=0.0\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused(change: str) -> None:
    """mtree(5) allows many spellings; a listing has one."""
    old, new = CHANGES[change]
    assert old in TEXT
    with pytest.raises(TreeError, match="listing: ") as caught:
        tree.parse(TEXT.replace(old, new, 1))
    assert caught.value.reason == "listing"


def test_a_path_stands_once() -> None:
    """Read or written."""
    line = TEXT.splitlines(keepends=True)[1]
    with pytest.raises(TreeError):
        tree.parse(TEXT.replace(line, line + line))
    with pytest.raises(TreeError, match="'app' stands twice"):
        tree.dump([ENTRIES[0], ENTRIES[0]])


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRIES[0], path=""),
        replace(ENTRIES[0], path="/app"),
        replace(ENTRIES[0], path="a/../b"),
        replace(ENTRIES[0], path="a\0b"),
        replace(ENTRIES[0], path="a\ud800"),
        replace(ENTRIES[0], kind="pipe"),
        replace(ENTRIES[0], mode=0o10000),
        replace(ENTRIES[0], mode=-1),
        replace(ENTRIES[0], uid=-1),
        replace(ENTRIES[0], size=0),
        replace(ENTRIES[1], sha256=None),
        replace(ENTRIES[1], sha256="x"),
        replace(ENTRIES[1], size=-1),
        replace(ENTRIES[1], target="x"),
        replace(ENTRIES[2], target=""),
    ],
)
def test_what_could_not_be_read_again_is_not_written(entry: Entry) -> None:
    """dump refuses what parse would."""
    with pytest.raises(TreeError):
        tree.dump([entry])


def test_it_has_a_size() -> None:
    """Longer than 16 MiB is refused."""
    with pytest.raises(TreeError, match="larger than 16 MiB") as caught:
        tree.parse(TEXT + b"#" * 2**24)
    assert caught.value.reason == "size"


@given(st.binary(min_size=1).filter(lambda it: b"\0" not in it and b"/" not in it))
def test_any_name_of_a_file_can_be_listed(name: bytes) -> None:
    """Linux allows any byte but NUL and a slash; `.` and `..` are no names."""
    entry = Entry(os.fsdecode(name), "link", 0o777, target=os.fsdecode(name))
    if name in (b".", b".."):
        with pytest.raises(TreeError):
            tree.dump([entry])
    else:
        text = tree.dump([entry])
        assert tree.parse(text) == (entry,)
        assert text.isascii()
        assert text.count(b"\n") == 2


def made(root: Path) -> None:
    """A tree with one of each."""
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_bytes(b"abc")
    (root / "a/b/file").chmod(0o600)
    (root / "a/x y").symlink_to("./b/")
    (root / os.fsdecode(b"a/\xff")).touch(0o644)
    (root / "c").mkdir()
    for name, mode in {"a": 0o755, "a/b": 0o1777, "c": 0o700}.items():
        (root / name).chmod(mode)


def test_scan_lists_what_is_there(tmp_path: Path) -> None:
    """Kinds, modes, owners, sizes, digests and targets, and nothing of times."""
    made(tmp_path)
    mine = {"uid": os.getuid(), "gid": os.getgid()}
    sums = {
        b"abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        b"": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    expected = (
        Entry("a", "dir", 0o755, **mine),
        Entry("a/b", "dir", 0o1777, **mine),
        Entry("a/b/file", "file", 0o600, 3, sums[b"abc"], **mine),
        Entry("a/x y", "link", 0o777, target="./b/", **mine),
        Entry("a/\udcff", "file", 0o644, 0, sums[b""], **mine),
        Entry("c", "dir", 0o700, **mine),
    )
    assert tree.scan(tmp_path) == expected
    assert tree.scan(tmp_path, ["a/b", "c"]) == (*expected[1:3], expected[5])


def test_scan_refuses_what_is_neither_file_folder_nor_link(tmp_path: Path) -> None:
    """A pipe, a socket or a device is in no layer."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LuggageError, match="'pipe': neither file, folder nor link"):
        tree.scan(tmp_path)


def test_it_needs_the_standard_library_alone() -> None:
    """Packing writes listings and seals with the packing tools and nothing else."""
    code = (
        "import sys; sys.modules['nacl'] = None; import luggage.proof.tree, luggage.proof.seal;"
        "import luggage.proof.serial, luggage.proof.start;"
        "print([name for name in sys.modules if name.startswith('luggage.crypto')])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
