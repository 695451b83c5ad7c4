"""A pex of dependencies → the virtual environment of an image; sources → what lies in it,
compiled.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from luggage.buildpex import process
from luggage.buildpex.pex import Workshop
from luggage.buildpex.target import Target
from luggage.errors import LuggageError, all_wrong

HOME = Path("/app")
_PARTS = 2  # whatever the machine has, or its number of processors would show
# What only pex, a shell or a compiler would use.
_LEFT_OUT = (
    "__main__.py",
    "PEX-INFO",
    "pex",
    "pex-repl",
    ".gitignore",
    ".pex-venv-scope",
    "include",
    "bin/[Aa]ctivate*",
    "lib/python*/site-packages/*.pex-info",
    "lib/python*/site-packages/__pex__",
    "lib/python*/site-packages/PEX_EXTRA_SYS_PATH.*",
)
_PEX_INFO = re.compile(rb"[^/,]+\.pex-info/")


def site_packages(target: Target) -> str:
    """The folder of modules, relative to the environment."""
    major, minor, *_ = target.version.split(".")
    return f"lib/python{major}.{minor}/site-packages"


@contextmanager
def unpacked(workshop: Workshop, pex: Path, home: Path) -> Iterator[None]:
    """While it lasts, `home` is the environment of `pex`, compiled.

    The paths in the environment's scripts and in its compiled modules are those of `home`, so that
    it must be made where it will run. A folder that is there already must be empty.
    """
    with _place(home):
        process.run(
            [sys.executable, str(pex), "venv", str(home)],
            environ=workshop.environ | {"PEX_TOOLS": "1"},
            cwd=workshop.folder / "tmp",
            subject=f"{pex.name}: unpacking it",
        )
        for pattern in _LEFT_OUT:
            for path in home.glob(pattern):
                _remove(path)
        for record in home.glob("lib/python*/site-packages/*.dist-info/RECORD"):
            _without_pex_info(record)
        modules = sorted(home.glob("lib/**/*.py"))
        # Its status tells of modules that are no Python, which wheels may hold.
        process.capture_all(
            compiling(workshop, modules, home, home),
            environ=workshop.environ,
            cwd=workshop.folder / "tmp",
            subject="compileall",
        )
        _all_compiled(modules)
        yield


def _all_compiled(modules: Sequence[Path]) -> None:
    """Raise LuggageError where a module that is Python was not compiled, as on a full disk."""
    wrong = []
    for path in modules:
        if not Path(importlib.util.cache_from_source(str(path))).exists():
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
                wrong.append(f"module '{path}': was not compiled")
    if wrong:
        raise LuggageError(all_wrong(wrong), "is the disk full? df -h")


def compiling(
    workshop: Workshop, modules: Sequence[Path], stage: Path, home: Path
) -> list[list[str]]:
    """The commands that compile modules under `stage`, which will lie under `home`.

    They compile in fixed parts and a fixed order: what a process has seen shows in its pycs. pex's
    own `--compile` would compile every dependency again with the sources. A module that is no
    Python (a template, another version's) stays as it is.
    """
    words = []
    for part in range(_PARTS):
        if not modules[part::_PARTS]:
            continue
        listing = workshop.folder / "tmp" / f"{stage.parent.name}-{part}"
        listing.write_text("".join(f"{path}\n" for path in modules[part::_PARTS]), "utf-8")
        paths = ["-s", str(stage), "-p", str(home), "-i", str(listing)]
        mode = "--invalidation-mode=checked-hash"
        words.append([sys.executable, "-m", "compileall", "-q", mode, *paths])
    return words


@contextmanager
def _place(home: Path) -> Iterator[None]:
    try:
        made = not home.exists()
        home.mkdir(exist_ok=True)
        if any(home.iterdir()):
            raise LuggageError(
                f"folder '{home}': not empty", "layers are made in a container of their own"
            )
        (home / ".luggage").touch()
        (home / ".luggage").unlink()
    except OSError as error:
        raise LuggageError(
            f"folder '{home}': {error.strerror}",
            "layers are made where they will run: leave out --root",
        ) from error
    try:
        yield
    finally:
        for path in home.iterdir():
            _remove(path)
        if made:
            home.rmdir()


def _without_pex_info(record: Path) -> None:
    """Take out of a wheel's RECORD what pex put in, and is gone: a RECORD names what is there."""
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(it for it in lines if not _PEX_INFO.match(it)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
