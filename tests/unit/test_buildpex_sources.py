"""luggage.buildpex.sources: what is packed, and what is refused."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from luggage.buildpex import sources
from luggage.errors import LuggageError

KEY = "lugkey1." + "k" * 48
PEM = b"-----BEGIN " + b"RSA PRIVATE KEY-----\nMII\n"  # in two, or this very file were refused


def tree(root: Path, files: dict[str, bytes]) -> list[str]:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return list(files)


def refused(root: Path, known: list[str], packages: tuple[str, ...] = ("app",)) -> list[str]:
    with pytest.raises(LuggageError) as caught:
        sources.select(root, known, packages, dirty=False)
    return caught.value.message.splitlines()


def test_only_known_files_of_the_packages_are_packed(tmp_path: Path) -> None:
    """What git does not know, and what lies beside the packages, stays out."""
    known = tree(
        tmp_path, {"app/__init__.py": b"", "app/x/data.txt": b"1", "application/a.py": b""}
    )
    tree(tmp_path, {"app/unknown.py": b"", "app/ignored.key": KEY.encode()})
    selection = sources.select(tmp_path, known, ("app",), dirty=False)
    assert selection.sources == (
        sources.Source("app/__init__.py", b""),
        sources.Source("app/x/data.txt", b"1"),
    )


@pytest.mark.parametrize("name", ["a.key", "A.PEM", "id_rsa", "id_ed25519.bak", "store.p12"])
def test_a_file_named_like_a_private_key_is_refused(tmp_path: Path, name: str) -> None:
    """A known file with a key's name is refused by its path, whatever is in it."""
    known = tree(tmp_path, {"app/__init__.py": b"", f"app/{name}": b""})
    assert refused(tmp_path, known) == [f"file 'app/{name}': named like a private key"]


@pytest.mark.parametrize(
    "content",
    [
        KEY.encode(),
        b"x = '" + KEY.encode() + b"'",
        b"lugsign1." + b"k" * 48,
        b"lugbundle1." + base64.urlsafe_b64encode(b"b" * 60),
        PEM,
        PEM.replace(b"RSA ", b""),
        PEM.replace(b"RSA", b"OPENSSH"),
        b"AGE-SECRET-KEY-1" + b"Q" * 58,
    ],
)
def test_a_file_that_holds_a_private_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """A key inside any file is refused, and its bytes are not in the error."""
    known = tree(tmp_path, {"app/__init__.py": b"", "app/notes.txt": b"a\n" + content + b"\nb"})
    assert refused(tmp_path, known) == ["file 'app/notes.txt': a private key is in it"]


def test_code_that_names_a_key_format_is_packed(tmp_path: Path) -> None:
    """The first letters of a key are no key: luggage's own modules hold them."""
    known = tree(tmp_path, {"app/__init__.py": b'PREFIX = "lugkey1."\nB = "lugbundle1."\n'})
    assert len(sources.select(tmp_path, known, ("app",), dirty=False).sources) == 1


def test_every_refused_file_is_named_at_once(tmp_path: Path) -> None:
    """Three keys and a package that is not there: four lines."""
    known = tree(tmp_path, {"app/a.key": b"", "app/b.pem": b"", "app/c.py": KEY.encode()})
    assert refused(tmp_path, known, ("app", "other")) == [
        "package 'other': no file of it is known to git",
        "file 'app/a.key': named like a private key",
        "file 'app/b.pem': named like a private key",
        "file 'app/c.py': a private key is in it",
    ]


def test_links_are_followed_inside_the_packages_alone(tmp_path: Path) -> None:
    """A link to a packed file is packed as its content; one that leaves, or dangles, is refused."""
    root = tmp_path / "root"
    known = tree(root, {"app/__init__.py": b"i", "secret.txt": b"s"})
    tree(tmp_path, {"outside.txt": b"o"})
    (root / "app/good.py").symlink_to("__init__.py")
    selection = sources.select(root, [*known, "app/good.py"], ("app",), dirty=False)
    assert sources.Source("app/good.py", b"i") in selection.sources

    for name, target in {
        "absolute": str(tmp_path / "outside.txt"),
        "beside": "../secret.txt",
        "dangling": "nothing",
        "loop": "loop",
        "up": "../../outside.txt",
    }.items():
        (root / "app" / name).symlink_to(target)
    bad = [f"app/{name}" for name in ("absolute", "beside", "dangling", "loop", "up")]
    assert refused(root, [*known, *bad]) == [
        "file 'app/absolute': a symbolic link that leaves the tree",
        "file 'app/beside': a symbolic link to what is not packed",
        "file 'app/dangling': a symbolic link to what is not packed",
        "file 'app/loop': a symbolic link that leaves the tree",
        "file 'app/up': a symbolic link that leaves the tree",
    ]


def test_a_link_to_a_key_is_refused(tmp_path: Path) -> None:
    """A harmless name does not hide a key's."""
    known = tree(tmp_path, {"app/__init__.py": b"", "app/a.key": b""})
    (tmp_path / "app/harmless.txt").symlink_to("a.key")
    assert refused(tmp_path, [*known, "app/harmless.txt"]) == [
        "file 'app/a.key': named like a private key",
        "file 'app/harmless.txt': named like a private key",
    ]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe would hang the packing, a folder is a submodule, and `..` leaves the tree."""
    known = tree(tmp_path, {"app/__init__.py": b""})
    os.mkfifo(tmp_path / "app/pipe")
    (tmp_path / "app/module").mkdir()
    assert refused(tmp_path, [*known, "app/pipe", "app/module", "app/../app/__init__.py"]) == [
        "file 'app/../app/__init__.py': not a relative path without '..'",
        "file 'app/module': a folder, or a submodule",
        "file 'app/pipe': neither a file nor a link to one",
    ]


def test_a_file_that_is_gone_is_an_error_in_a_clean_tree_alone(tmp_path: Path) -> None:
    """A dirty tree may have lost a file; a clean one may not."""
    known = [*tree(tmp_path, {"app/__init__.py": b""}), "app/gone.py"]
    assert refused(tmp_path, known) == ["file 'app/gone.py': git knows it, but it is not there"]
    assert len(sources.select(tmp_path, known, ("app",), dirty=True).sources) == 1


def test_staged_files_have_one_mode_whatever_the_umask(tmp_path: Path) -> None:
    """644 and 755: the modes of a checkout, and the caller's umask, do not show."""
    before = os.umask(0o077)
    try:
        sources.stage([sources.Source("a/b/c.py", b"1")], tmp_path)
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert modes == {"a": 0o755, "a/b": 0o755, "a/b/c.py": 0o644}


def test_without_git_what_is_hidden_or_built_stays_out(tmp_path: Path) -> None:
    """Walking takes sources, and neither caches nor hidden files."""
    tree(
        tmp_path,
        {
            "app/__init__.py": b"",
            "app/.env": b"",
            "app/__pycache__/x.pyc": b"",
            "app/build/x.py": b"",
            "app/.venv/x.py": b"",
            "app/x.egg-info/PKG-INFO": b"",
            "app/sub/data.json": b"",
            "other/x.py": b"",
        },
    )
    assert sources.walk(tmp_path, ("app",)) == ("app/__init__.py", "app/sub/data.json")


def test_a_name_that_no_manifest_can_hold_is_refused(tmp_path: Path) -> None:
    """It is named, escaped, before anything is packed: a terminal obeys some of these."""
    known = tree(tmp_path, {"app/__init__.py": b"", "app/a\n.py": b"", "app/b\\.py": b""})
    why = "a control character or a backslash is in its name"
    assert refused(tmp_path, known) == [
        f"file 'app/a\\n.py': {why}",
        f"file 'app/b\\\\.py': {why}",
    ]
