"""Locks → a folder of wheels, fetched by pip with the user's own settings: nothing in it is trusted
yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from luggage.buildpex import lock, process
from luggage.errors import LuggageError


def wheels(locks: Sequence[Path], cache: Path, environ: Mapping[str, str], root: Path) -> Path:
    """The folder under `cache` that holds every wheel of `locks` for this Python; fetched where it
    is not there.

    A fetch that fails leaves no folder. Every lock is read first, so that a line that cannot be
    packed is told before the network is asked.
    """
    digest = hashlib.sha256()
    for path in locks:
        lock.read(path)
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    tag = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    folder = cache / f"wheels-{tag}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temporary:
            fetched = Path(temporary) / "wheels"
            for path in locks:
                download(path, fetched, environ, root)
            with contextlib.suppress(FileExistsError):
                if not folder.is_dir():  # another fetch of the same may have been quicker
                    fetched.rename(folder)
    return folder


def download(path: Path, into: Path, environ: Mapping[str, str], root: Path) -> None:
    """Fetch the wheels of one lock; pip's output goes to stderr."""
    if importlib.util.find_spec("pip") is None:
        raise LuggageError(
            "pip: not installed for this Python", "apt-get install python3-pip, or use a venv"
        )
    status = process.show(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--only-binary=:all:", "--no-deps"),
            *("--dest", str(into), "--requirement", str(path)),
        ],
        environ=environ,
        cwd=root,
    )
    if status:
        raise LuggageError(
            f"lock '{path.name}': its wheels could not be fetched (see above)",
            "is there a network? what has no wheel cannot be packed: docs/packing.md",
        )
