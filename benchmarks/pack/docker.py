"""Words → what docker answers; containers that are gone at the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

ENGINE = "docker"


def run(
    *words: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> str:
    """stdout of a command; ends the program where it fails, with what it said."""
    done = subprocess.run(
        words,
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(variables or {})},
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-4000:]
        sys.exit(f"error: {' '.join(map(str, words))}: status {done.returncode}\n{said}")
    return done.stdout


def docker(*words: str | Path, **options: Any) -> str:
    """As `run`, of the engine."""
    return run(ENGINE, *words, **options)


def inspect(name: str, kind: str = "container") -> dict[str, Any]:
    """All that the engine tells of an image or a container."""
    size = ["--size"] if kind == "container" else []
    told: dict[str, Any] = json.loads(docker(kind, "inspect", *size, name))[0]
    return told


def started(name: str) -> float:
    """When a container started, by the engine's clock, which must be this machine's."""
    text = inspect(name)["State"]["StartedAt"]
    # Python reads six digits, and engines write up to nine.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


def address(name: str) -> str:
    """A container's own address on its network."""
    networks = inspect(name)["NetworkSettings"]["Networks"]
    return str(next(it["IPAddress"] for it in networks.values()))


@contextlib.contextmanager
def container(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[str]:
    """A container of `docker run -d` and `words`; its variables are given by name."""
    named = [word for name in variables for word in ("-e", name)]
    name = docker("run", "-d", *named, *words, variables=variables).strip()
    try:
        yield name
    finally:
        docker("rm", "-f", "-v", name)


def flatten(image: str, to: str) -> None:
    """The files of `image` as an image of one layer."""
    name = docker("create", image, "true").strip()
    try:
        with subprocess.Popen([ENGINE, "export", name], stdout=subprocess.PIPE) as exported:
            subprocess.run(
                [ENGINE, "import", "-c", "LABEL luggage-bench=peer", "-", to],
                stdin=exported.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        if exported.returncode:
            sys.exit(f"error: {ENGINE} export: status {exported.returncode}")
    finally:
        docker("rm", name)


def volumes(prefix: str) -> list[str]:
    """Names of the volumes that begin so; the engine's own filter finds it anywhere in a name."""
    return [it for it in docker("volume", "ls", "-q").split() if it.startswith(prefix)]


def images(reference: str) -> list[str]:
    """Names of the images that answer to a pattern."""
    told = docker(
        "image", "ls", "--filter", f"reference={reference}", "--format", "{{.Repository}}:{{.Tag}}"
    )
    return [name for name in told.split() if not name.endswith(":<none>")]
