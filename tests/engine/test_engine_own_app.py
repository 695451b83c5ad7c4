"""docs/own-app.md, done word for word with an engine: the image of an app of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import own_app
import pytest
from engines import IMAGE as SHARED
from engines import Built, Engine

pytestmark = pytest.mark.engine
IMAGE = f"{SHARED}-own"


@pytest.fixture(scope="module")
def shop(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("own")
    done = own_app.follow(folder, own_app.ROOT, image=IMAGE, ENGINE="docker")
    assert done.returncode == 0, done.stderr
    built = Built(folder / "shop", done.stdout.splitlines()[-1], done.stderr)
    yield built
    docker("image", "rm", "-f", built.image, f"{IMAGE}:latest", check=False)


def test_the_image_runs_the_app_that_its_manifest_names(shop: Built, docker: Engine) -> None:
    """`run.docker` as it is: the page greets, the loop runs, the health check passes, TERM is 0."""
    told = own_app.DOCKER.removesuffix("shop") + IMAGE
    assert shop.err.rstrip().splitlines()[-1].strip() == told
    config = json.loads(docker.inspect(shop.image, "{{json .Config}}"))
    assert config["Labels"]["org.opencontainers.image.title"] == "shop"
    key = (shop.folder / "prod.key").read_text().strip()
    with docker.running(shop.image, key=key) as container:
        container.serves()
        assert container.get() == (200, "Good morning, visitor\n")
        version = json.loads(container.get("/-/version")[1])
        assert (version["project"], version["dirty"]) == ("shop", False)
        container.wait_for(lambda: "tidy, with a greeting of 12" in container.logs())
        health = "{{.State.Health.Status}}"
        container.wait_for(lambda: docker.inspect(container.name, health) == "healthy", seconds=40)
        docker("stop", container.name)
        assert container.status() == 0


def test_without_its_key_it_says_so(shop: Built, docker: Engine) -> None:
    """One clear error that names the project's own deployment, and no traceback."""
    with docker.running(shop.image) as container:
        assert docker("wait", container.name) == "1"
        assert "error: " in container.logs()
        assert "Traceback" not in container.logs()


def test_its_commands_are_those_of_the_deployment(shop: Built, docker: Engine) -> None:
    """The entry point takes any command of the deployment's."""
    page = docker("run", "--rm", shop.image, "--help")
    assert page.startswith("usage: /app/bin/python -I -m luggage COMMAND")
    assert "\n  tidy " in page
