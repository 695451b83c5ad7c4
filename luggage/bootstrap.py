"""A bare `python3` in a checkout → the same command, run in the checkout's own `.venv`.

Only the standard library is used here, because nothing else may be there yet. An artifact has
everything, so there `ensure` returns at once.
"""

from __future__ import annotations

# An artifact's first process needs `heed_term` alone, and at once: all that only a checkout needs
# is imported where it is needed.
# ruff: noqa: PLC0415
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

LOCKS = ("requirements.txt", "luggage/buildpex/tools.txt")
NEEDED = ("environ", "gunicorn", "mainland", "nacl", "ncolony")
STAMP = ".luggage"
OWN = "wheels"  # as in luggage/buildpex/private.py
_CHANGED = (
    "if you changed the wheels yourself: python3 -m deploy lock\n"
    "      else do not go on: someone else changed them, or the lock"
)
KEY = ("SECRET_KEY", "SECRET_KEY_FILE", "CREDENTIALS_DIRECTORY")


def ensure(root: Path | None = None) -> None:
    """Return where the packages are there; else go on in `root`/.venv, made from the locks.

    `root` is the checkout that holds this file, where it is None. It is the first that a command
    does: so PID 1 heeds TERM from here on (`heed_term`).
    """
    heed_term()
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs a checkout has any Python
        _fail(f"{sys.executable}: older than Python 3.11", "python3.11 -m deploy …, or a newer one")
    import importlib.util

    if all(importlib.util.find_spec(name) for name in NEEDED):
        return
    from pathlib import Path

    root = root or Path(__file__).resolve().parent.parent
    if not all((root / lock).is_file() for lock in LOCKS):
        raise SystemExit(
            "error: luggage's packages are not installed\n"
            "hint: python3 -m pip install sealed-luggage, in a virtual environment"
        )
    python = make(root / ".venv", [root / lock for lock in LOCKS])
    if Path(sys.prefix).resolve() == (root / ".venv").resolve():
        _fail(".venv: incomplete although its lock is installed", "rm -r .venv")
    os.execv(python, [str(python), *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


def heed_term() -> None:
    """Let TERM end PID 1, which without a handler never gets it; all others end anyway.

    `start` ends with status 0, as later on; any other command was cut off, and says so.
    """

    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(0 if sys.argv[1:2] == ["start"] else 128 + number)

    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, leave)


def make(folder: Path, locks: Sequence[Path], own: Sequence[Path] = ()) -> Path:
    """A virtual environment at `folder` with every line of `locks` in it; returns its Python.

    A lock that is in it already is not installed again. Two at once wait for each other. A folder
    that is not ours is left alone. What lies in the folders `own`, or in `wheels` beside a lock, is
    taken from there, and no index is asked for its name.
    """
    try:
        return _made(folder, locks, [*own, *(lock.parent / OWN for lock in locks)])
    except OSError as error:
        _fail(
            f"{folder}: cannot be made: {error.strerror}: {error.filename or folder}",
            f"make {folder.parent} writable for this user, or work in a copy of your own",
        )


def _made(folder: Path, locks: Sequence[Path], own: Sequence[Path]) -> Path:
    python = folder / "bin" / "python"
    with _locked(folder):
        stamps = folder / STAMP
        if folder.exists() and not stamps.is_dir():
            _fail(f"{folder}: not made by luggage", f"mv {folder} {folder}.old")
        if not _whole(python):
            _create(folder, stamps)
        missing = [lock for lock in locks if not (stamps / _digest(lock)).exists()]
        if missing:
            for lock in _install(python, missing, own):
                (stamps / _digest(lock)).touch()
    return python


def _whole(python: Path) -> bool:
    """Whether the environment's Python starts: it does not after an upgrade of Debian's."""
    import subprocess

    if not python.exists():
        return False
    return _start([python, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def _create(folder: Path, stamps: Path) -> None:
    import importlib.util
    import shutil

    if importlib.util.find_spec("ensurepip") is None:
        _fail("python3-venv: not installed", "apt-get install python3-venv")
    _say(f"making {folder} (once)")
    shutil.rmtree(folder, ignore_errors=True)
    stamps.mkdir(parents=True)  # first, so that a half-made folder is known as ours
    _run([sys.executable, "-m", "venv", str(folder)], f"{folder}: could not be made")


def _install(python: Path, locks: Sequence[Path], folders: Sequence[Path]) -> Sequence[Path]:
    """Install what `locks` list; returns those of which nothing was left out."""
    _say("installing " + ", ".join(str(lock) for lock in locks))
    words = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    words += ["--no-input", "--require-hashes", "--only-binary=:all:"]
    subject = f"{', '.join(map(str, locks))}: could not be installed"
    own = _own(folders)
    if not own:
        _run([*words, *_asked(locks)], subject, "is there a network?")
        return locks
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        mine, others, left_out = _divided(locks, own, Path(name))
        # What a package needs beside the locks could be one's own: nobody is asked for that either.
        words.append("--no-deps")
        # Where one's own was built again its version is there already, with the old content.
        local = [*words, "--isolated", "--no-index", "--force-reinstall", *_asked(mine)]
        for folder in folders:
            local += ["--find-links", str(folder)] if folder.is_dir() else []
        if mine and _start(local, stdout=sys.stderr.fileno()):
            if not _is_locking():
                _fail(f"{OWN}/: {subject}", _CHANGED)
            left_out = [*locks]
        if others:
            _run([*words, *_asked(others)], subject, "is there a network?")
    return [lock for lock in locks if lock not in left_out]


def _own(folders: Sequence[Path]) -> dict[str, set[str]]:
    """Each name that is one's own, and the SHA-256 of its wheels.

    A source distribution counts as well, though none is installed: its name is one's own.
    """
    found: dict[str, set[str]] = {}
    for path in (it for folder in folders if folder.is_dir() for it in folder.iterdir()):
        if path.name.endswith(".whl"):
            found.setdefault(_name(path.stem.partition("-")[0]), set()).add(_digest(path))
        elif path.name.endswith((".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")):
            found.setdefault(_name(path.name.rpartition("-")[0]), set())
    return found


def _divided(
    locks: Sequence[Path], own: Mapping[str, set[str]], work: Path
) -> tuple[list[Path], list[Path], list[Path]]:
    """Write the lines of `locks` into files in `work`: those of one's own, and the others.

    Third, the locks with a line that no wheel of one's own fits, which for `lock` alone is no
    error: it makes the lock that fits. A line with a marker may be for another Python: pip tells.
    """
    import re

    mine: list[Path] = []
    others: list[Path] = []
    left_out, wrong = [], []
    for number, lock in enumerate(locks):
        parts: tuple[list[str], list[str]] = ([], [])
        for line in re.sub(r"\\\r?\n", " ", lock.read_text(encoding="utf-8")).splitlines():
            match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
            name = _name(match[1]) if match else ""
            fits = own.get(name, set()).intersection(re.findall(r"sha256:([0-9a-f]{64})", line))
            if name in own and not fits and ";" not in line:
                left_out.append(lock)
                wrong.append(
                    f"{lock.name}: {line.split()[0]}: no wheel in {OWN}/ has its hash, and no "
                    "index is asked for it"
                )
            else:
                parts[name not in own].append(f"{line}\n")
        for found, lines, kind in ((mine, parts[0], "own"), (others, parts[1], "others")):
            if lines:
                found.append(work / f"{number}.{kind}.txt")
                found[-1].write_text("".join(lines), encoding="utf-8")
    if wrong and not _is_locking():
        _fail("\nerror: ".join(wrong), _CHANGED)
    return mine, others, left_out


def _is_locking() -> bool:
    return sys.argv[1:2] == ["lock"]


def _asked(locks: Sequence[Path]) -> list[str]:
    return [word for lock in locks for word in ("--requirement", str(lock))]


def _name(project: str) -> str:
    """A project's name as PEP 503 spells it."""
    import re

    return re.sub(r"[-_.]+", "-", project).lower()


def _run(words: Sequence[str], subject: str, hint: str = "see above") -> None:
    status = _start(words, stdout=sys.stderr.fileno())
    if status:
        _fail(f"{subject} (status {status})", hint)


def _start(words: Sequence[str | Path], *, stdout: int, stderr: int | None = None) -> int:
    """Run to the end without the key, and without stdin: a secret may be waiting there."""
    import subprocess

    environ = {key: value for key, value in os.environ.items() if key not in KEY}
    return subprocess.run(
        words, check=False, env=environ, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
    ).returncode


def _digest(lock: Path) -> str:
    import hashlib

    return hashlib.sha256(lock.read_bytes()).hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    folder.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _say(text: str) -> None:
    print(f"luggage: {text}", file=sys.stderr, flush=True)


def _fail(message: str, hint: str) -> NoReturn:
    raise SystemExit(f"error: {message}\nhint: {hint}")


def main(argv: Sequence[str] | None = None) -> None:
    """Make a virtual environment at FOLDER with every LOCK in it; print its Python."""
    import argparse
    from pathlib import Path

    parser = argparse.ArgumentParser(prog="python3 -m luggage.bootstrap", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("locks", type=Path, nargs="+", metavar="LOCK")
    options = parser.parse_args(argv)
    print(make(options.folder, options.locks))


if __name__ == "__main__":
    main()
