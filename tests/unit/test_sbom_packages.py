"""luggage.seal.packages: METADATA out of wheels, stanzas and os-release out of a Debian root."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from luggage.errors import LuggageError
from luggage.seal import packages

LIBC = b"""\
Package: libc6
Source: glibc
Version: 2.41-12+deb13u4
Architecture: amd64
Maintainer: GNU Libc M\xc3\xa4intainers <debian-glibc@lists.debian.org>
Description: GNU C Library: Shared libraries
 Contains the standard libraries
 .
 and a colon: in the second line.
"""
ZLIB = b"""\
Package: zlib1g
Version: 1:1.3~rc1-1+b1
Architecture: amd64
Maintainer: M
"""
RELEASE = b"""\
# a comment
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"

VERSION_ID='13'
ID=debian
ODD="a \\"quoted\\" \\$word"
"""
FILES = {
    "var/lib/dpkg/status.d/libc6": LIBC,
    "var/lib/dpkg/status.d/libc6.md5sums": b"0  usr/lib/libc.so.6\n",
    "var/lib/dpkg/status.d/zlib1g": ZLIB,
    "usr/lib/os-release": RELEASE,
    "usr/lib/other": b"",
}


def folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def tarred(path: Path, files: dict[str, bytes], prefix: str = "./") -> Path:
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo(f"{prefix}var/lib/dpkg/status.d/link")
        link.type, link.linkname = tarfile.SYMTYPE, "libc6"
        tar.addfile(link)
        for name, data in files.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def zipped(path: Path, *names: str, data: bytes = b"Name: x\n") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, data)
    return path


def test_a_root_in_a_folder_and_in_a_tar_is_the_same(tmp_path: Path) -> None:
    """Both ways give every stanza, by name, and os-release; lists of files are no stanzas."""
    found = packages.in_folder(folder(tmp_path / "root", FILES))
    assert found == packages.in_tar(tarred(tmp_path / "a.tar", FILES))
    assert found == packages.in_tar(tarred(tmp_path / "b.tar", FILES, prefix=""))
    assert [it["Package"] for it in found.debian] == ["libc6", "zlib1g"]
    libc, zlib = found.debian
    assert libc["Maintainer"] == "GNU Libc Mäintainers <debian-glibc@lists.debian.org>"
    assert libc["Description"].splitlines()[::3] == [
        "GNU C Library: Shared libraries",
        " and a colon: in the second line.",
    ]
    assert zlib["Version"] == "1:1.3~rc1-1+b1"


def test_os_release_is_quoted_as_in_a_shell(tmp_path: Path) -> None:
    """os-release(5): quotes, escapes, comments and empty lines."""
    assert packages.os_release(RELEASE) == {
        "PRETTY_NAME": "Debian GNU/Linux 13 (trixie)",
        "VERSION_ID": "13",
        "ID": "debian",
        "ODD": 'a "quoted" $word',
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Package: x\n", "x: no field 'Version'\nx: no field 'Architecture'"),
        (ZLIB + b"\n" + LIBC, "x: not one stanza"),
        (ZLIB + b"Version: 2\n", "x: not one stanza"),
        (ZLIB + b"no colon\n", "x: not one stanza"),
        (ZLIB + b"Homepage: \xff\n", "x: not UTF-8"),
    ],
)
def test_what_is_no_stanza_is_refused(data: bytes, message: str) -> None:
    """A scanner would not find this package, or find another."""
    with pytest.raises(LuggageError) as caught:
        packages.stanza(data, "x")
    assert caught.value.message.startswith(message)


def test_everything_wrong_with_a_root_is_told_at_once(tmp_path: Path) -> None:
    """Broken stanzas and a missing os-release, each with its file."""
    broken = {**FILES, "var/lib/dpkg/status.d/broken": b"Package: x\n"}
    del broken["usr/lib/os-release"]
    with pytest.raises(LuggageError) as caught:
        packages.in_folder(folder(tmp_path, broken))
    assert "var/lib/dpkg/status.d/broken: no field 'Version'" in caught.value.message
    assert caught.value.message.splitlines()[-1].endswith("no usr/lib/os-release")


def test_a_root_without_packages_is_refused(tmp_path: Path) -> None:
    """An SBOM without the base would be taken for a whole one."""
    with pytest.raises(LuggageError, match="no package in"):
        packages.in_folder(folder(tmp_path, {"usr/lib/os-release": RELEASE}))


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    """As an error that names the file."""
    (tmp_path / "a.tar").write_bytes(b"x" * 4096)
    with pytest.raises(LuggageError, match=r"a\.tar': cannot be read as a tar"):
        packages.in_tar(tmp_path / "a.tar")


def test_a_tar_cut_short_is_refused(tmp_path: Path) -> None:
    """Half a tar is not half an answer, wherever it ends before the last that counts."""
    path = tarred(tmp_path / "a.tar", FILES)
    whole = path.read_bytes()
    for length in range(0, whole.index(RELEASE) + len(RELEASE), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(LuggageError):
            packages.in_tar(path)


def test_a_wheel_gives_its_metadata(tmp_path: Path) -> None:
    """The one in its own dist-info, not one of a package that it carries; Latin-1 stops nothing."""
    path = zipped(
        tmp_path / "x-1-py3-none-any.whl",
        "x-1.dist-info/METADATA",
        "x/_vendor/y-1.dist-info/METADATA",
        data=b"Author: \xe9\n",
    )
    assert packages.metadata(path) == "Author: �\n"


@pytest.mark.parametrize(
    ("names", "number"), [((), 0), (("x-1.dist-info/METADATA", "y-1.dist-info/METADATA"), 2)]
)
def test_a_wheel_without_one_metadata_is_refused(
    tmp_path: Path, names: tuple[str, ...], number: int
) -> None:
    """Which package it is would be a guess."""
    path = zipped(tmp_path / "x-1-py3-none-any.whl", *names)
    with pytest.raises(LuggageError, match=f"has {number} METADATA, and not one"):
        packages.metadata(path)


def test_what_is_no_wheel_is_refused(tmp_path: Path) -> None:
    """As an error that names the file."""
    (tmp_path / "x.whl").write_bytes(b"no zip")
    with pytest.raises(LuggageError, match=r"x\.whl': cannot be read"):
        packages.metadata(tmp_path / "x.whl")
