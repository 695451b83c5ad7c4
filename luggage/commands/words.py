"""What an editing command tells: a path as the user sees it, bytes, what git says of a
file.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from luggage.buildpex import process
from luggage.commands.arguments import Words
from luggage.crypto import Secret
from luggage.errors import LuggageError

__all__ = ["Words", "ignored", "on_terminal", "put_out", "shown", "tracked"]

_IGNORED, _NOT_IGNORED = 0, 1


def shown(path: Path) -> Path:
    """`path` as seen from the working directory, where it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def on_terminal(command: str) -> bool:
    """Whether stdout is a terminal; raises LuggageError where it is closed."""
    if sys.stdout is None:
        raise LuggageError(f"{command}: stdout is closed", "send it somewhere: … > FILE")
    return sys.stdout.isatty()


def put_out(command: str, text: Secret) -> None:
    """Write bytes to stdout, and no byte more; raises LuggageError.

    Not through Python's buffer, which would keep them, and write them again on its way out.
    """
    rest = memoryview(text.reveal())
    try:
        while rest:
            rest = rest[os.write(sys.stdout.fileno(), rest) :]
    except OSError as error:
        why = error.strerror
    else:
        return
    raise LuggageError(f"{command}: stdout cannot be written to: {why}")


def ignored(path: Path) -> bool:
    """Whether git ignores `path`, or there is no repository that it could be committed to."""
    if not any((folder / ".git").exists() for folder in path.parents):
        return True
    if shutil.which("git") is None:
        raise LuggageError(
            f"{path}: lies in a git repository, but there is no git to ask whether it is ignored",
            "install git",
        )
    status, _, err = process.capture(
        ["git", "check-ignore", "--quiet", "--", str(path)],
        environ={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        cwd=path.parent,
        subject="git check-ignore",
    )
    if status not in (_IGNORED, _NOT_IGNORED):
        why = err.decode(errors="replace").strip()
        raise LuggageError(f"{path}: git cannot tell whether it is ignored: {why}")
    return status == _IGNORED


def tracked(path: Path) -> bool:
    """Whether git has `path` in its index; not where there is no git to tell."""
    path = path.resolve()
    if shutil.which("git") is None or not any((it / ".git").exists() for it in path.parents):
        return False
    status, _, _ = process.capture(
        ["git", "ls-files", "--error-unmatch", "--", f":(literal){path}"],
        environ={k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
        cwd=path.parent,
        subject="git ls-files",
    )
    return status == 0
