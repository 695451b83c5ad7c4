"""Words → what a command says; an error that holds its last words where it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class FailedError(Exception):
    """A command that failed."""


class UnavailableError(Exception):
    """This machine cannot pack in this way."""


def output(
    words: Sequence[str | Path],
    given: bytes | None = None,
    *,
    cwd: str | Path = "/",
    env: Mapping[str, str] | None = None,
    umask: int = 0o022,
) -> bytes:
    """stdout of a command; raises FailedError."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        words, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env=env, umask=umask
    )
    try:
        said, errors = process.communicate(given or b"")
    except BaseException:
        # `./create` removes its container when it is told to end, and cannot when it is killed.
        process.terminate()
        process.communicate()
        raise
    if process.returncode:
        shown = " ".join(map(str, words[:4]))
        told = errors.decode(errors="replace")[-3000:]
        raise FailedError(f"{shown} …: status {process.returncode}\n{told}")
    return said


def text(*words: str | Path, **options: object) -> str:
    """As `output`, one text without a line feed at its end."""
    return output(words, **options).decode().strip()  # type: ignore[arg-type]


def quietly(*words: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run what cleans up, and may find nothing."""
    subprocess.run(words, capture_output=True, check=False, cwd="/", env=env)
