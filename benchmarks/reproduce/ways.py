"""One way to pack, and a checkout of its own → what came out of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from commands import UnavailableError, quietly, text

ROOT = Path(__file__).resolve().parents[2]
BASE = os.environ.get("BASE") or "debian:trixie-slim"
LATER = "2037-06-01 12:00:00"
# No name of benchmarks/pack, which removes what begins with its own.
IMAGE = f"luggage-reproduce-{os.getpid()}"


@dataclass(frozen=True)
class Way:
    """Who packs, where, and in which circumstances; `rootless`: not the user who measures."""

    name: str
    engine: str
    folder: str = "project"
    umask: int = 0o022
    rootless: bool = False
    environ: Mapping[str, str] = field(default_factory=dict)


WAYS = (
    Way("docker", "docker"),
    Way("docker, BuildKit", "docker", environ={"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"}),
    Way("docker, a long path, umask 077", "docker", folder="a much/longer path", umask=0o077),
    Way("docker, Kiritimati, another locale", "docker",
        environ={"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "7"}),
    Way("podman", "podman"),
    Way("podman, another path and zone", "podman", folder="x", environ={"TZ": "America/Lima"}),
    Way("podman without root", "podman", rootless=True),
    Way("podman without root, umask 077", "podman", umask=0o077, rootless=True, folder="y"),
    Way("no engine", "none"),
    Way("no engine, a clock years ahead, no network", "none", folder="later",
        environ={"FAKETIME": LATER}),
)  # fmt: skip
_DRIVER = {"docker": "{{.Driver}}", "podman": "{{.Store.GraphDriverName}}"}


@dataclass(frozen=True)
class Packed:
    """SHA-256 of each artifact; of an image its layers, and its id in podman's own format.

    `engine` is the engine and its storage driver, which writes layers in an order of its own.
    """

    engine: str
    files: Mapping[str, str]
    layers: tuple[str, ...] = ()
    image: str | None = None


@dataclass(frozen=True)
class Engine:
    """A container engine; `prefix` is what makes us another user."""

    name: str
    environ: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    user: str | None = None

    def __call__(self, *words: str | Path) -> str:
        return text(*self.prefix, self.name, *words, env=self.environ)


def last_commit(base: Path) -> Path:
    """A clone of this checkout's last commit, and upon it one that gives the image another name."""
    folder = base / "commit"
    text("git", "clone", "-q", ROOT, folder)
    create = folder / "create"
    create.write_text(create.read_text().replace("\nIMAGE=$NAME\n", f"\nIMAGE={IMAGE}\n"))
    who = ("-c", "user.name=reproduce", "-c", "user.email=reproduce@example.org")
    text("git", "-C", folder, *who, "commit", "-q", "--no-gpg-sign", "-m", "a name", "create")
    return folder


def checkout(way: Way, origin: Path) -> Path:
    """A clone for this way alone."""
    folder = origin.parent / way.name.replace(" ", "-").replace(",", "") / way.folder
    folder.parent.mkdir(parents=True)
    text("git", "clone", "-q", origin, folder)
    return folder


def packed(way: Way, engine: Engine, folder: Path) -> Packed:
    """`./create --check`, whose image has a name of its own, and is removed."""
    environ = {**engine.environ, **way.environ, "ENGINE": engine.name, "BASE": BASE}
    if engine.user:
        text("chown", "-R", f"{engine.user}:", folder)
    try:
        image = text(
            *engine.prefix, folder / "create", "--check", cwd=folder, env=environ, umask=way.umask
        )
        layers = json.loads(
            engine("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)
        )
        storage = engine("info", "--format", _DRIVER[engine.name])
        told = _image_id(engine, folder) if engine.name == "podman" else None
    finally:
        names = ("image", "ls", "-q", "--filter", f"reference={IMAGE}")
        for found in set(engine(*names).split()):
            quietly(*(*engine.prefix, engine.name, "image", "rm", "-f", found), env=engine.environ)
    return Packed(f"{way.engine} on {storage}", digests(folder), tuple(layers), told)


def _image_id(engine: Engine, folder: Path) -> str:
    """By run.docker as it stands; Docker's format, which `create` takes for its health check, notes
    the name of the container that each step ran in.
    """
    tag = f"{IMAGE}:own-format"
    engine(
        *("build", "-q", "--format", "oci", "--timestamp", "315532800", "--no-cache"),
        *("-t", tag, "-f", folder / "run.docker", folder / "build"),
    )
    return engine("image", "inspect", "--format", "{{.Id}}", tag)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file in a checkout's build."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "build").iterdir())
        if path.is_file() and not path.name.startswith(".")
    }


def needs(program: str) -> None:
    """Raise UnavailableError where there is no such program."""
    if shutil.which(program) is None:
        raise UnavailableError(f"{program} is not installed")
