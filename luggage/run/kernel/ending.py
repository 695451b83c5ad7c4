"""The exit code or the signal of a process → words, and an exit status that tells of it."""

from __future__ import annotations

import signal


def how(code: int | None, number: int | None) -> str:
    """How a process ended, in words."""
    if number is None:
        return f"exited with status {code or 0}"
    try:
        return f"killed by signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"killed by signal {number}"


def status(code: int | None, number: int | None) -> int:
    """The exit status that tells of a crashed process: its own; 128 + N for signal N; never 0."""
    return 128 + number if number is not None else (code or 1)
