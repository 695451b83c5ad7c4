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
    from collections.abc import Iterator, Sequence
    from pathlib import Path

LOCKS = ("requirements.txt", "luggage/buildpex/tools.txt")
NEEDED = ("environ", "gunicorn", "mainland", "nacl", "ncolony")
STAMP = ".luggage"
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


def make(folder: Path, locks: Sequence[Path]) -> Path:
    """A virtual environment at `folder` with every line of `locks` in it; returns its Python.

    A lock that is in it already is not installed again. Two at once wait for each other. A folder
    that is not ours is left alone.
    """
    try:
        return _made(folder, locks)
    except OSError as error:
        _fail(
            f"{folder}: cannot be made: {error.strerror}: {error.filename or folder}",
            f"make {folder.parent} writable for this user, or work in a copy of your own",
        )


def _made(folder: Path, locks: Sequence[Path]) -> Path:
    python = folder / "bin" / "python"
    with _locked(folder):
        stamps = folder / STAMP
        if folder.exists() and not stamps.is_dir():
            _fail(f"{folder}: not made by luggage", f"mv {folder} {folder}.old")
        if not _whole(python):
            _create(folder, stamps)
        missing = [lock for lock in locks if not (stamps / _digest(lock)).exists()]
        if missing:
            _install(python, missing)
            for lock in missing:
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


def _install(python: Path, locks: Sequence[Path]) -> None:
    _say("installing " + ", ".join(str(lock) for lock in locks))
    words = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    words += ["--no-input", "--require-hashes", "--only-binary=:all:"]
    for lock in locks:
        words += ["--requirement", str(lock)]
    _run(words, f"{', '.join(map(str, locks))}: could not be installed", "is there a network?")


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
