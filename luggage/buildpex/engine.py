"""The name of an image → a file of it, by the container engine that is here."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from luggage.buildpex import process
from luggage.errors import LuggageError

_NAMES = ("docker", "podman")
_HERE = Path("/")  # an engine asks for no folder of ours


@dataclass(frozen=True)
class Engine:
    """A container engine that answers; `name` is `docker` or `podman`."""

    name: str
    environ: Mapping[str, str]

    def save(self, image: str, file: Path) -> str:
        """Write an image to a new file, and return its id, by which the very same can be run.

        Raises LuggageError where there is none of that name.
        """
        # By its id: of a name without a tag docker saves the images of all its tags.
        status, out, err = self.try_(["image", "inspect", "--format", "{{.Id}}", "--", image])
        id_ = out.decode(errors="replace").strip()
        if status == 0:
            # podman writes the same format by default, and docker knows no other.
            words = ["image", "save", "-o", str(file), "--", id_]
            status, _, err = self.try_(words)
        if status or not file.exists():
            raise LuggageError(
                f"image '{image}': {self.name} cannot save it: {_last(err)}",
                f"neither a file nor an image of that name? {self.name} images",
            )
        return id_ if ":" in id_ else f"sha256:{id_}"  # podman's have no such word

    def ask(self, *words: str) -> str:
        """What the engine says on stdout; raises LuggageError where it fails."""
        status, out, err = self.try_(words)
        if status:
            raise LuggageError(f"{self.name} {words[0]}: failed: {_last(err)}")
        return out.decode(errors="replace")

    def try_(self, words: tuple[str, ...] | list[str]) -> tuple[int, bytes, bytes]:
        """Exit status, stdout and stderr of `ENGINE WORDS…`."""
        return process.capture(
            [self.name, *words], environ=self.environ, cwd=_HERE, subject=self.name
        )


def find(environ: Mapping[str, str]) -> Engine:
    """The engine that ENGINE names, else the first that answers; raises LuggageError."""
    asked = environ.get("ENGINE") or ""
    if asked and asked not in _NAMES:
        raise LuggageError(
            f"ENGINE={asked}: there is no such engine that has images", "one of docker, podman"
        )
    said = {}
    for name in [asked] if asked else _NAMES:
        engine = Engine(name, environ)
        if shutil.which(name, path=environ.get("PATH")) is None:
            said[name] = "not found"
            continue
        status, _, err = engine.try_(["version"] if name == "docker" else ["info"])
        if status == 0:
            return engine
        said[name] = _last(err)
    told = ", ".join(f"{name}: {why}" for name, why in said.items())
    raise LuggageError(
        f"no container engine answers: {told}",
        "save the image where there is one (docker save IMAGE -o FILE), and name the file",
    )


def _last(said: bytes) -> str:
    lines = said.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
