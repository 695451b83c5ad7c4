"""Folders that all may write → one in them that is this user's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def private(parents: Iterable[Path], name: str) -> Path:
    """The folder `name`, of this user alone, in the first usable of `parents`; raises OSError.

    It is the same at every start, so that data outlive a restart as long as the parent does.
    """
    for parent in parents:
        folder = parent / name
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            about = folder.lstat()
            # In a folder that all may write, somebody else could have been first.
            if stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid():
                folder.chmod(0o700)
                return folder
    raise OSError("no folder for the stand-in's data can be written: set DATA_DIR")
