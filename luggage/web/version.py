"""The manifest beside a deploy package → what `/-/version` tells."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from luggage import __version__
from luggage.errors import LuggageError
from luggage.proof import manifest


def version(package: str) -> dict[str, object]:
    """The version, commit and project of the artifact that holds `package`.

    The version is the tag of its image: the commit, `-dirty` after it where the sources differed,
    or `unversioned` without git; outside an artifact it is `unpacked`. Raises LuggageError where
    the manifest cannot be read.
    """
    spec = importlib.util.find_spec(package)
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        raise LuggageError(f"package '{package}': not found", "name the deploy package")
    return of_manifest(Path(next(iter(locations))).parent / manifest.FILE)


def of_manifest(path: Path) -> dict[str, object]:
    """As `version`, for the manifest at `path`, which need not exist."""
    try:
        told = manifest.parse(path.read_bytes())
    except FileNotFoundError:
        return {"version": "unpacked", "commit": None, "luggage": __version__}
    except (OSError, LuggageError) as error:
        raise LuggageError(f"manifest {path}: cannot be read: {error}", "pack again") from error
    named = f"{told.commit}-dirty" if told.dirty and told.commit else told.commit
    return {
        "version": named or "unversioned",
        "commit": told.commit,
        "dirty": told.dirty,
        "luggage": __version__,
        "project": told.project,
        "python": told.python,
        "serial": told.serial,
    }
