"""The paths that git knows → the source files that are packed, and a refusal of what must never be.

Only files under the listed packages are read. A file shaped like a private key, by its name or by
what is in it, is refused whatever it is for: a key in an artifact is a key in every copy of it.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import islands
from luggage.errors import LuggageError, all_wrong
from luggage.proof import manifest

# File names, whatever the case. A public certificate may end in .pem too; it is refused all the
# same, and can be given another name.
KEY_NAMES = (
    "*.key",
    "*.pem",
    "*.p12",
    "*.pfx",
    "*.jks",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
)
# Whole keys, not their first letters alone: code and documents name those.
KEY_CONTENT = re.compile(
    rb"lugkey1\.[A-Za-z0-9_-]{48}"
    rb"|lugsign1\.[A-Za-z0-9_-]{48}"
    rb"|lugbundle1\.[A-Za-z0-9_-]{32}"
    rb"|-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    rb"|AGE-SECRET-KEY-1[A-Z0-9]{8}"
)
_SKIPPED_FOLDERS = ("__pycache__", "build", "dist")


@dataclass(frozen=True)
class Source:
    """One file to be packed: its relative POSIX path and its bytes, read once."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Selection:
    """What is packed, sorted by path, and what stays behind: path → why."""

    sources: tuple[Source, ...]
    left: dict[str, str]


def select(root: Path, known: Iterable[str], packages: Sequence[str], *, dirty: bool) -> Selection:
    """The files of `known` that lie in `packages`, read from under `root`.

    `known` holds relative POSIX paths. In a dirty tree a file may be gone: then it is gone. Raises
    one LuggageError that names every file that is refused, and every package of which nothing is
    known.
    """
    folders = {package: package.replace(".", "/") + "/" for package in packages}
    paths = sorted({p for p in known if p.startswith(tuple(folders.values()))})
    inside = frozenset(paths)
    wrong = [
        f"package '{package}': no file of it is known to git"
        for package, folder in folders.items()
        if not any(path.startswith(folder) for path in paths)
    ]
    files: dict[str, bytes] = {}
    for path in paths:
        try:
            files[path] = _read(root, path, inside)
        except FileNotFoundError:
            if not dirty:
                wrong.append(f"file '{path}': git knows it, but it is not there")
        except ValueError as error:
            wrong.append(f"file {path!r}: {error}")
        except OSError as error:
            wrong.append(f"file '{path}': cannot be read: {error.strerror}")
    left = islands.left_behind(files)
    wrong += [
        f"file '{path}': {why}, so the package cannot be packed"
        for path, why in left.items()
        if path.endswith(("/__init__.py", "/__main__.py")) and why != "packs"
    ]
    if wrong:
        raise LuggageError(
            all_wrong(wrong), "keep keys outside every package; docs/packing.md says what is packed"
        )
    packed = tuple(Source(path, data) for path, data in files.items() if path not in left)
    return Selection(packed, left)


def stage(sources: Iterable[Source], into: Path) -> None:
    """Write the sources under `into`, every file with mode 644 and every folder with 755."""
    for source in sources:
        path = into / source.path
        for folder in reversed(path.relative_to(into).parents[:-1]):
            (into / folder).mkdir(exist_ok=True)
            (into / folder).chmod(0o755)
        path.write_bytes(source.data)
        path.chmod(0o644)


def walk(root: Path, packages: Sequence[str]) -> tuple[str, ...]:
    """The files of the packages where there is no git: nothing hidden, compiled or built."""
    return tuple(sorted(p for package in packages for p in _walk(root, package.replace(".", "/"))))


def _walk(root: Path, folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(root / folder):
        folders[:] = [
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS
            and not name.startswith(".")
            and not name.endswith(".egg-info")
        ]
        for name in names:
            if not name.startswith(".") and not name.endswith((".pyc", "~")):
                yield (Path(here) / name).relative_to(root).as_posix()


def _read(root: Path, path: str, inside: frozenset[str]) -> bytes:
    """The bytes of one file; raises ValueError with the reason why it is refused."""
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("not a relative path without '..'")
    if not manifest.is_path(path):
        raise ValueError("a control character or a backslash is in its name")
    real = _resolve(root, path)
    if real not in inside:
        raise ValueError("a symbolic link to what is not packed" if real != path else "not packed")
    for name in {path, real}:
        if _named_like_a_key(name):
            raise ValueError("named like a private key")
    file = root / real
    if not file.exists():
        raise FileNotFoundError
    if not file.is_file():
        raise ValueError(
            "neither a file nor a link to one" if not file.is_dir() else "a folder, or a submodule"
        )
    data = file.read_bytes()
    if KEY_CONTENT.search(data):
        raise ValueError("a private key is in it")
    return data


def _resolve(root: Path, path: str) -> str:
    """The path under `root` that a chain of links ends at; raises ValueError where it leaves the
    tree.
    """
    try:
        real = (root / path).resolve()
        return real.relative_to(root.resolve()).as_posix()
    except (ValueError, RuntimeError, OSError):
        raise ValueError("a symbolic link that leaves the tree") from None


def _named_like_a_key(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in KEY_NAMES)
