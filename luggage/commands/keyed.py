"""The sources of the key → the keys, in a process that no other of the same user looks into."""

from __future__ import annotations

import stat
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path

from luggage.commands import words
from luggage.configfile import unlock
from luggage.configfile.unlock import Given
from luggage.crypto import sources
from luggage.run.kernel import kin


def given(environ: MutableMapping[str, str]) -> Given:
    """The keys; hides this process first, and then takes SECRET_KEY from what it starts.

    Raises SecretError.
    """
    kin.hide()
    warn(environ)
    try:
        return unlock.given(environ)
    finally:
        environ.pop(sources.VARIABLE, None)


def warn(environ: Mapping[str, str]) -> None:
    """Tell where others can read the file that SECRET_KEY_FILE names."""
    with suppress(OSError, ValueError):  # reading it tells
        warn_of_readers(Path(environ.get(sources.FILE) or "/dev/null"))


def warn_of_readers(path: Path) -> None:
    """Tell where others can read a key file, but for one that git tracks: it is public on purpose,
    or `check` tells.
    """
    was = path.stat()
    open_to_all = stat.S_ISREG(was.st_mode) and stat.S_IMODE(was.st_mode) & 0o077
    if open_to_all and not words.tracked(path):
        print(
            f"warning: {path}: others can read this key: chmod 600 {path}; on a machine with other "
            "users, rotate it",
            file=sys.stderr,
        )
