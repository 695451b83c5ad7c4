"""The manifest beside a deploy package → what `/-/version` tells."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from luggage import __version__
from luggage.errors import LuggageError

MANIFEST = "luggage-manifest.json"


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
    return of_manifest(Path(next(iter(locations))).parent / MANIFEST)


def of_manifest(path: Path) -> dict[str, object]:
    """As `version`, for the manifest at `path`, which need not exist."""
    try:
        manifest = json.loads(path.read_text("ascii"))
        commit, dirty = manifest["commit"], manifest["dirty"]
        shown = {name: manifest[name] for name in ("project", "python", "serial")}
    except FileNotFoundError:
        return {"version": "unpacked", "commit": None, "luggage": __version__}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LuggageError(f"manifest {path}: cannot be read", "pack again") from error
    named = f"{commit}-dirty" if dirty and commit else commit
    return {
        "version": named or "unversioned",
        "commit": commit,
        "dirty": dirty,
        "luggage": __version__,
        **shown,
    }
