"""FILE or IMAGE, as typed → the artifact, for the commands that look at one."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from luggage.buildpex import engine, process
from luggage.errors import LuggageError
from luggage.seal import artifact
from luggage.seal.artifact import Artifact

WHAT = "a pex, a file that `docker save` or `podman save` wrote, or the name of an image"


def add(parser: argparse.ArgumentParser, *names: str) -> None:
    """Arguments that name artifacts, and how one of several images in a file is chosen."""
    for name in names:
        parser.add_argument(name, metavar=name.upper(), help=WHAT)
    parser.add_argument("--image", metavar="NAME", help="the one, where a file holds several")


def load(
    what: str, environ: dict[str, str], *, image: str | None = None, squeeze: bool = False
) -> Artifact:
    """The artifact that `what` names: a file where there is one of that name, else an image, whose
    `id` is then the engine's own, by which it can be run.

    An image is saved into a temporary file first; nothing of it is run. Raises LuggageError.
    """
    path = Path(what)
    a_folder = LuggageError(f"{what}: a folder", "name the pex, or the image: build/NAME.pex")
    if path.exists() and not path.is_dir():
        return artifact.load(path, image=image, squeeze=squeeze)
    if what.endswith((".pex", ".tar")) or what.startswith(("/", "./", "../")):
        if path.is_dir():
            raise a_folder
        raise LuggageError(f"{what}: there is no such file", "make it: ./create")
    process.interruptible()  # so that a saved image never stays
    with tempfile.TemporaryDirectory(prefix="luggage-") as folder:
        file = Path(folder) / "image.tar"
        try:
            id_ = engine.find(environ).save(what, file)
        except LuggageError as error:
            if not path.is_dir():
                raise
            told = f"{a_folder.message}; and as an image: {error.message}"
            raise LuggageError(told, a_folder.hint) from error
        return replace(artifact.load(file, name=what, squeeze=squeeze), id=id_)
