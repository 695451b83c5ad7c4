"""A command's words → its options, echoing none of them: any may be a secret put there by mistake.

Beside that, what such a command tells of files: a path as the user sees it, and whether git
ignores it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from luggage.buildpex import process
from luggage.commands.deployment import Deployment
from luggage.crypto import Secret, names
from luggage.errors import LuggageError, UsageError

_KEY = re.compile(r"lug(?:key|bundle)[0-9]")
_IGNORED, _NOT_IGNORED = 0, 1


class Words(argparse.ArgumentParser):
    """The parser of one command, with its examples."""

    def __init__(self, command: str, about: str | None, epilog: str, deployment: Deployment):
        super().__init__(
            prog=f"python -m {deployment.package} {command}",
            description=about,
            epilog=epilog.format(package=deployment.package),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.command = command

    def read(self, words: list[str]) -> argparse.Namespace:
        """The options; raises UsageError."""
        if any(_KEY.match(word) for word in words):
            raise UsageError(
                f"{self.command}: a private key was given as an argument, where others can see it",
                "consider it leaked: rotate it; and give the name of a key file instead",
            )
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Refuse, without the words."""
        raise UsageError(
            f"{self.command}: these arguments cannot be read", self.format_usage().strip()
        )

    def check_secret(self, name: str) -> None:
        """Refuse what cannot be a secret's name."""
        if not names.is_secret(name):
            raise UsageError(
                f"{self.command}: not the name of a secret", "A-Z, 0-9 and _, such as LINES_API_KEY"
            )


def shown(path: Path) -> Path:
    """`path` as seen from the working directory, where it lies in it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


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
