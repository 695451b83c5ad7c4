"""The files that a manifest names + the folder of a pex's packages → what differs between them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from luggage.proof.files import Found
from luggage.proof.look import shown

_CACHE = "__pycache__"


def differing(site: Path, named: Mapping[str, str]) -> Found:
    """Compare the sources in `site` with their digests: nothing changed, missing or added.

    Only below the packages that the manifest names: the dependencies of a pex lie beside them. pex
    may put links for files, and Python its compiled modules. A link to a folder is neither's.
    """
    wrong: dict[str, str] = {}
    size = 0
    for path, digest in named.items():
        try:
            data = (site / path).read_bytes()
        except FileNotFoundError:
            wrong[path] = "missing"
            continue
        except OSError as error:
            wrong[path] = f"cannot be read: {error.strerror}"
            continue
        size += len(data)
        if hashlib.sha256(data).hexdigest() != digest:
            wrong[path] = "changed"
    for package in sorted({path.partition("/")[0] for path in named if "/" in path}):
        more, unread = _under(site, package)
        wrong |= {path: "was not packed" for path in more if path not in named} | unread
    told = {shown(os.fsencode(site / path)[1:]): how for path, how in sorted(wrong.items())}
    return Found(len(named), size, told)


def _under(site: Path, package: str) -> tuple[list[str], dict[str, str]]:
    """Every file and every link in the package, and what is wrong with folders of it."""
    found: list[str] = []
    unread: dict[str, str] = {}

    def at(path: str | Path) -> str:
        return Path(path).relative_to(site).as_posix()

    def fail(error: OSError) -> None:
        unread[at(error.filename)] = f"cannot be read: {error.strerror}"

    for here, folders, names in os.walk(site / package, onerror=fail):
        links = [name for name in folders if (Path(here) / name).is_symlink()]
        if _CACHE in folders:
            folders.remove(_CACHE)
        found += [at(Path(here) / name) for name in [*names, *links]]
    return found, unread
