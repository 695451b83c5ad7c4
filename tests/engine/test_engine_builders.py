"""Both Dockerfiles with every builder, and the same bytes from every engine, path and user."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from engines import ARTIFACTS, IMAGE, Built, Engine, sh

pytestmark = pytest.mark.engine
DOCKERFILES = ("build.docker", "run.docker")


@pytest.fixture(scope="session")
def buildkit(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A docker client that builds with BuildKit: the first on PATH may have no buildx."""
    folder = tmp_path_factory.mktemp("nothing")
    (folder / "Dockerfile").write_text("FROM scratch\nLABEL a=b\n")
    for client in dict.fromkeys(("docker", "/usr/bin/docker")):
        if shutil.which(client):
            environ = {**os.environ, "DOCKER_BUILDKIT": "1"}
            if (
                sh(
                    client, "build", "-t", f"{IMAGE}:nothing", folder, check=False, env=environ
                ).returncode
                == 0
            ):
                return client
    pytest.skip("left out: no docker client here builds with BuildKit")


def _build(
    client: str, buildkit: str, built: Built, dockerfile: str, tag: str, nothing: Path
) -> None:
    context = built.folder / "build" if dockerfile == "run.docker" else nothing
    # As `create` does: a builder's cache is not what is tried here.
    fresh = ("--no-cache",) if dockerfile == "run.docker" else ()
    words = (client, "build", *fresh, "-t", tag, "-f", built.folder / dockerfile, context)
    sh(*words, env={**os.environ, "DOCKER_BUILDKIT": buildkit})


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_classic_builder(dockerfile: str, built: Built, docker: Engine, tmp_path: Path) -> None:
    """The classic builder makes both, and the runner's layers are the ones that `./create` made."""
    tag = f"{IMAGE}:classic-{dockerfile}"
    _build("docker", "0", built, dockerfile, tag, tmp_path)
    if dockerfile == "run.docker":
        assert _layers(docker, tag) == _layers(docker, built.image)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_buildkit(
    dockerfile: str, built: Built, docker: Engine, buildkit: str, tmp_path: Path
) -> None:
    """BuildKit makes both; the runner's layers are the same as those of the classic builder."""
    tag = f"{IMAGE}:buildkit-{dockerfile}"
    _build(buildkit, "1", built, dockerfile, tag, tmp_path)
    if dockerfile == "run.docker":
        assert _layers(docker, tag) == _layers(docker, built.image)


@pytest.mark.podman
@pytest.mark.parametrize("whose", ["podman", "rootless"])
def test_podman(
    whose: str, built: Built, demo_key: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """podman, with root and without, from another path: the same pex and layers; and it serves."""
    engine: Engine = request.getfixturevalue(whose)
    home = Path(engine.environ["HOME"]) if whose == "rootless" else tmp_path
    folder = home / "a project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    if engine.command[0] == "runuser":
        sh("chown", "-R", f"{engine.environ['USER']}:", folder)
    done = engine.create(folder, TZ="America/Lima")
    assert done.stdout == built.out
    assert (
        done.stderr.rstrip().splitlines()[-1].strip().startswith("podman run --rm -e SECRET_KEY=")
    )
    assert _digests(folder) == _digests(built.folder)
    assert (folder / "build/example.pex").stat().st_uid == folder.stat().st_uid
    config = json.loads(engine("image", "inspect", "-f", "{{json .Config}}", built.image))
    assert config["User"] == "65532:65532"
    assert json.loads(engine("image", "inspect", "-f", "{{json .HealthCheck}}", built.image))
    with engine.running(built.image, key=demo_key) as container:
        container.wait_for(lambda: container.get()[1].count("<li") >= 1, seconds=20)
        engine("stop", container.name)
        assert container.status() == 0


def _layers(engine: Engine, image: str) -> list[str]:
    layers: list[str] = json.loads(engine.inspect(image, "{{json .RootFS.Layers}}"))
    return layers


def _digests(folder: Path) -> dict[str, str]:
    build = folder / "build"
    return {name: hashlib.sha256((build / name).read_bytes()).hexdigest() for name in ARTIFACTS}
