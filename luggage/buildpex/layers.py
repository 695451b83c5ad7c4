"""A pex → two layers of an image: what it depends on, and the sources; each a tar with nothing of
its maker in it.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import process
from luggage.buildpex.pex import EPOCH, Workshop
from luggage.errors import LuggageError

HOME = Path("/app")
_HASH_BASED = 1  # the flag of a pyc that is checked by its source's hash (PEP 552)
_PARTS = 2  # whatever the machine has, or its number of processors would show


@dataclass(frozen=True)
class Entry:
    """One path of a tree, relative to it: a folder, a file with its SHA-256, or a link with its
    target.
    """

    path: str
    kind: str
    content: str
    executable: bool


def make(workshop: Workshop, pex: Path, venv: Path, deps: Path, app: Path) -> None:
    """Unpack `pex` as a virtual environment at `venv`, and write the layers `deps` and `app`.

    The paths in the environment's scripts and in its compiled modules are those of `venv`, so that
    it must be made where it will run. It is removed again. A folder that is there already must be
    empty.
    """
    name = venv.name
    with _place(venv):
        _unpack(workshop, pex, venv, "deps")
        _compile(workshop, sorted(venv.glob("lib/**/*.py")))
        before = scan(venv)
        write(venv, name, before, deps)
        _unpack(workshop, pex, venv, "srcs")
        known = {entry.path for entry in before}
        modules = sorted(venv.glob("lib/**/*.py"))
        _compile(workshop, [p for p in modules if p.relative_to(venv).as_posix() not in known])
        entries = set(before)
        write(venv, name, [entry for entry in scan(venv) if entry not in entries], app)


def scan(tree: Path) -> list[Entry]:
    """Everything under `tree`, folders before what is in them, sorted by path."""
    found = []
    for here, folders, names in os.walk(tree):
        for name in folders + names:
            found.append(_entry(tree, Path(here) / name))
    return sorted(found, key=lambda entry: entry.path)


def write(tree: Path, name: str, entries: list[Entry], output: Path) -> None:
    """A tar of the entries, below a folder `name`: owner 0, modes 755 and 644, one moment for all.

    The folders that an entry lies in are written as well: unpacking into one changes its time, and
    so the layer.
    """
    wanted = {entry.path: entry for entry in entries}
    for entry in entries:
        for folder in Path(entry.path).parents:
            if folder != Path():
                wanted.setdefault(folder.as_posix(), Entry(folder.as_posix(), "folder", "", True))
    with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_header(name, Entry("", "folder", "", True)))
        for path in sorted(wanted):
            header = _header(f"{name}/{path}", wanted[path])
            data = (tree / path).read_bytes() if header.isfile() else b""
            if path.endswith(".pyc") and not data[4] & _HASH_BASED:
                raise LuggageError(
                    f"compiled module '{path}': tied to a file's time, which a layer changes"
                )
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))


def _unpack(workshop: Workshop, pex: Path, venv: Path, scope: str) -> None:
    process.run(
        [sys.executable, str(pex), "venv", f"--scope={scope}", str(venv)],
        environ=workshop.environ | {"PEX_TOOLS": "1"},
        cwd=workshop.folder / "tmp",
        subject=f"{pex.name}: unpacking its {scope}",
    )


def _compile(workshop: Workshop, modules: list[Path]) -> None:
    """Compile modules in fixed parts and a fixed order: what a process has seen shows in its pycs.

    pex's own `--compile` would compile every dependency again with the sources. A module that
    is no Python (a template, another version's) stays as it is.
    """
    temporary = workshop.folder / "tmp"
    words = []
    for part in range(_PARTS):
        listing = temporary / f"modules-{part}"
        listing.write_text("".join(f"{path}\n" for path in modules[part::_PARTS]), "utf-8")
        mode = "--invalidation-mode=checked-hash"
        words.append([sys.executable, "-m", "compileall", "-q", mode, "-i", str(listing)])
    process.capture_all(words, environ=workshop.environ, cwd=temporary, subject="compileall")


@contextmanager
def _place(venv: Path) -> Iterator[None]:
    try:
        made = not venv.exists()
        venv.mkdir(exist_ok=True)
        if any(venv.iterdir()):
            raise LuggageError(
                f"folder '{venv}': not empty", "layers are made in a container of their own"
            )
        (venv / ".luggage").touch()
        (venv / ".luggage").unlink()
    except OSError as error:
        raise LuggageError(
            f"folder '{venv}': {error.strerror}",
            "layers are made where they will run: leave out --layers",
        ) from error
    try:
        yield
    finally:
        for path in venv.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        if made:
            venv.rmdir()


def _entry(tree: Path, path: Path) -> Entry:
    name = path.relative_to(tree).as_posix()
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(name, "link", str(path.readlink()), False)
    if stat.S_ISDIR(mode):
        return Entry(name, "folder", "", True)
    if not stat.S_ISREG(mode):
        raise LuggageError(f"'{path}': neither file, folder nor link")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Entry(name, "file", digest, bool(mode & stat.S_IXUSR))


def _header(name: str, entry: Entry) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type = {"folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "file": tarfile.REGTYPE}[
        entry.kind
    ]
    header.linkname = entry.content if entry.kind == "link" else ""
    header.mode = 0o777 if entry.kind == "link" else 0o755 if entry.executable else 0o644
    header.mtime = EPOCH
    return header
