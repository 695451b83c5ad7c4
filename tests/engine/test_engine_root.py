"""The root of the runner: what is left of Debian's Python works, and is what its packages say."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import IMAGE, ROOT, Engine

pytestmark = pytest.mark.engine

# What Debian's packages would import with more of Debian, or on another system.
ELSEWHERE = {
    "_distutils_system_mod",
    "_pyrepl._minimal_curses",
    "_pyrepl.curses",
    "_pyrepl.readline",
    "_pyrepl.simple_interact",
    "_pyrepl.unix_console",
    "_pyrepl.unix_eventqueue",
    "_pyrepl.windows_console",
    "dbm.gnu",
}
EVERY_MODULE = """\
import importlib, json, os, pkgutil, sys, warnings

warnings.simplefilter("ignore")

def names(folders, prefix=""):
    for module in pkgutil.iter_modules(folders, prefix):
        yield module.name
        if module.ispkg:
            below = [os.path.join(f, module.name.rpartition(".")[2]) for f in folders]
            yield from names(below, module.name + ".")

found = {*names([p for p in sys.path if "python3" in p]), *sys.builtin_module_names}
failed = {}
for name in sorted(found - {"antigravity", "this"}):
    if not name.endswith("__main__"):
        try:
            importlib.import_module(name)
        except Exception as error:
            failed[name] = str(error)
print(json.dumps([len(found), failed]))
"""
USES = """\
import _datetime, _decimal, bz2, ctypes, dbm, hashlib, io, lzma, multiprocessing, pydoc
import sqlite3, ssl, sys, tempfile, unittest, zlib, zoneinfo

sys.stdout, out = io.StringIO(), sys.stdout
help("if")
said, sys.stdout = sys.stdout.getvalue(), out
assert "documentation is not available" in said, said
with dbm.open("/tmp/db", "c") as database:
    database["a"] = "b"
    assert type(database).__module__ == "dbm.sqlite3"
assert zoneinfo.ZoneInfo("Europe/Berlin") and "Asia/Tokyo" in zoneinfo.available_timezones()
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert sqlite3.connect(":memory:").execute("select sqlite_version()").fetchone()
for library in ("libm.so.6", "libmvec.so.1", "libnsl.so.1", "libstdc++.so.6", "libz.so.1"):
    ctypes.CDLL(library)
assert "コ".encode("cp932") and hashlib.new("sha3_512") and hashlib.scrypt
assert multiprocessing.Value("i", 1).value == 1
"""


@pytest.fixture(scope="module")
def tar(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """root.tar as the builder makes it."""
    nothing = tmp_path_factory.mktemp("nothing")
    docker("build", "-q", "-f", ROOT / "build.docker", "-t", f"{IMAGE}:builder", nothing)
    path = tmp_path_factory.mktemp("root") / "root.tar"
    with docker.created(f"{IMAGE}:builder", "--entrypoint", "/bin/true") as container:
        docker("cp", f"{container.name}:/opt/root.tar", path)
    return path


@pytest.fixture(scope="module")
def tree(tar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is in it, unpacked."""
    folder = tmp_path_factory.mktemp("tree")
    with tarfile.open(tar) as archive:
        archive.extractall(folder, filter="tar")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(tar: Path, docker: Engine) -> str:
    """An image of it and nothing else, whose user may write everywhere."""
    (tar.parent / "Dockerfile").write_text(
        'FROM scratch\nADD root.tar /\nUSER 0\nENTRYPOINT ["/usr/bin/python3"]\n'
    )
    docker("build", "-q", "-t", f"{IMAGE}:root", tar.parent)
    return f"{IMAGE}:root"


def test_every_module_imports_and_none_is_compiled(image: str, docker: Engine) -> None:
    """All of Python's library but what belongs elsewhere; and nothing is written while it does."""
    name = f"{IMAGE}-every"
    try:
        said = docker("run", "--network", "none", "--name", name, image, "-I", "-c", EVERY_MODULE)
        count, failed = json.loads(said.splitlines()[-1])
        assert count > 550
        assert failed.keys() <= ELSEWHERE, failed
        assert docker("diff", name) == ""
    finally:
        docker("rm", "-f", name, check=False)


def test_what_web_apps_use_is_there(image: str, docker: Engine) -> None:
    """Databases, TLS, time zones, compression, old encodings, and the libraries wheels lean on."""
    docker("run", "--rm", "--network", "none", image, "-I", "-W", "error", "-c", USES)


def test_the_root_is_small(tar: Path, tree: Path) -> None:
    """47.1 MB here, and 17.4 MB as a registry keeps it."""
    size = sum(p.stat().st_size for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    assert size < 48_000_000
    assert len(gzip.compress(tar.read_bytes(), 6)) < 18_000_000


def test_no_package_is_named_that_is_not_there(tree: Path) -> None:
    """Each with its licence, its fields and true sums; what was left out whole is not named."""
    folder = tree / "var/lib/dpkg/status.d"
    packages = {path.name for path in folder.iterdir() if path.suffix != ".md5sums"}
    assert {"libc6", "libssl3t64", "python3.13-minimal", "libpython3.13-stdlib"} <= packages
    assert not any(name.startswith(("libdb", "libncurses", "libreadline")) for name in packages)
    for name in packages:
        fields = (folder / name).read_text()
        assert f"Package: {name}\n" in fields
        assert "\nVersion: " in fields
        assert (tree / "usr/share/doc" / name / "copyright").exists()
    owned = set()
    for sums in folder.glob("*.md5sums"):
        assert sums.name.removesuffix(".md5sums") in packages
        for line in sums.read_text().splitlines():
            digest, path = line.split("  ", 1)
            assert hashlib.md5((tree / path).read_bytes()).hexdigest() == digest, path
            owned.add((tree / path).resolve())
    libraries = [path for path in (tree / "usr/lib").rglob("*.so*") if not path.is_symlink()]
    assert len(libraries) > 50
    assert {path for path in libraries if path.resolve() not in owned} == set()
