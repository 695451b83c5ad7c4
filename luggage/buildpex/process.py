"""An argument list → a finished process, its output, or an error that shows it.

The one module of the pack island that starts processes. None of them gets the key: not git with its
hooks and pagers, not pip, not the packing tools.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from luggage.errors import LuggageError

# As in luggage/bootstrap.py, which may be alone, as this may be.
_KEY = ("SECRET_KEY", "SECRET_KEY_FILE", "CREDENTIALS_DIRECTORY")
_SHOWN = 40  # lines of a failed process's output
_PATIENCE = 2.0  # seconds for a process to end itself when asked
_GRACE = 0.3  # seconds for a killed process's own children to be gone


def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    subject: str,
    hint: str | None = None,
) -> bytes:
    """Run to the end and return stdout; raises LuggageError with the output's end where the status
    is not 0.
    """
    (out,) = run_all([argv], environ=environ, cwd=cwd, subject=subject, hint=hint)
    return out


def run_all(
    argvs: Iterable[Sequence[str]],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    subject: str,
    hint: str | None = None,
) -> list[bytes]:
    """Run several at once, each as `run` does, until all have ended."""
    ended = capture_all(argvs, environ=environ, cwd=cwd, subject=subject)
    for status, out, err in ended:
        if status:
            lines = (err + out).decode(errors="replace").rstrip().splitlines()[-_SHOWN:]
            shown = "".join(f"\n  {line}" for line in lines)
            raise LuggageError(f"{subject}: failed with status {status}{shown}", hint)
    return [out for _, out, _ in ended]


def capture(
    argv: Sequence[str], *, environ: Mapping[str, str], cwd: Path, subject: str
) -> tuple[int, bytes, bytes]:
    """Run to the end and return exit status, stdout and stderr.

    The umask is 022 whatever the caller's is, so that it shows in no artifact. Where this is
    interrupted, the process and every process it started are killed.
    """
    (done,) = capture_all([argv], environ=environ, cwd=cwd, subject=subject)
    return done


def capture_all(
    argvs: Iterable[Sequence[str]], *, environ: Mapping[str, str], cwd: Path, subject: str
) -> list[tuple[int, bytes, bytes]]:
    """Run several at once, each as `capture` does, until all have ended."""
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(_started(argv, environ, cwd, subject)) for argv in argvs]
        outputs = [process.communicate() for process in started]
    return [(p.returncode, out, err) for p, (out, err) in zip(started, outputs, strict=True)]


@contextlib.contextmanager
def _started(
    argv: Sequence[str], environ: Mapping[str, str], cwd: Path, subject: str
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_without_key(environ),
            cwd=cwd,
            umask=0o022,
            start_new_session=True,
        )
    except OSError as error:
        raise LuggageError(f"{subject}: {argv[0]} cannot be started: {error.strerror}") from error
    with process:
        try:
            yield process
        except BaseException:
            _kill(process)
            raise


def attached(argv: Sequence[str], *, environ: Mapping[str, str], cwd: Path, subject: str) -> int:
    """Run on this process's own terminal to the end and return its status, below 0 a signal's.

    Where this is interrupted, the process is ended: asked first, then killed.
    """
    try:
        process = subprocess.Popen(argv, env=_without_key(environ), cwd=cwd)
    except OSError as error:
        raise LuggageError(f"{subject}: cannot be started: {error.strerror}") from error
    with process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
            process.kill()
            raise


def become(argv: list[str], *, environ: Mapping[str, str], cwd: Path) -> NoReturn:
    """Replace this process, so that signals reach the new one without a go-between."""
    sys.stdout.flush()
    os.chdir(cwd)
    os.execve(argv[0], argv, _without_key(environ))  # noqa: S606 - no shell is wanted


def _without_key(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _KEY}


def interruptible() -> None:
    """Make TERM end this process as INT does: through every `finally` on the way out."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a session leader, and wait for what it started: it must not write into a folder that is
    being removed.
    """
    deadline = time.monotonic() + _GRACE
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        while time.monotonic() < deadline:
            os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.01)
