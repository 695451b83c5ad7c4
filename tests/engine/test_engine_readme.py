"""The README's commands, taken from its text and run in a fresh clone as a newcomer runs them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from engines import IMAGE, ROOT, Built, Container, Engine, checkout, commit, sh, started

pytestmark = pytest.mark.engine

CREATE = "./create"
SEAL = (
    "python3 -m deploy signing-key release",
    "SIGNING_KEY_FILE=release.sign.key python3 -m deploy sign && ./create",
    "python3 -m deploy verify example --verify-key release.verify",
)
DOCKER = 'docker run --rm -e SECRET_KEY="$(cat demo.key)" -p 8000:8000 example'
PEX = 'SECRET_KEY="$(cat demo.key)" build/example.pex start'
TESTS = "tests/run"
ENCRYPT = "printf 'v4lue' | python3 -m deploy encrypt LINES_API_KEY"


def commands() -> list[str]:
    """What the README tells to type: the lines behind `$ ` in its console blocks."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("readme") / "luggage")


def bare() -> dict[str, str]:
    """The environment of a shell in which no virtual environment is active."""
    mine = str(ROOT / ".venv")
    path = ":".join(p for p in os.environ["PATH"].split(":") if not p.startswith(mine))
    return {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"} | {"PATH": path}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_every_command_of_the_readme_is_run_here() -> None:
    """A command that the README gains has to be run by a test as well."""
    assert commands() == [CREATE, DOCKER, PEX, TESTS, ENCRYPT, *SEAL]


def test_create_and_run(built: Built, docker: Engine) -> None:
    """`./create`, then the README's `docker run`: the page comes, with lines of the loop."""
    assert built.err.rstrip().splitlines()[-1].strip() == DOCKER.removesuffix("example") + IMAGE
    name = f"luggage-test-readme-{os.getpid()}"
    words = DOCKER.removesuffix("example") + IMAGE
    words = words.replace("--rm", f"--rm --name {name}").replace("8000:8000", "127.0.0.1::8000")
    container = Container(docker, name)
    try:
        with started(["sh", "-c", words], cwd=built.folder):
            container.wait_for(
                lambda: docker("ps", "-q", "--filter", f"name={name}") and container.get()[0] == 200
            )
            container.wait_for(lambda: container.get()[1].count("<li") >= 2, seconds=15)
            docker("stop", name)
    finally:
        docker("rm", "-f", name, check=False)


def test_a_release_is_signed_and_verified(built: Built, docker: Engine, tmp_path: Path) -> None:
    """The three lines, one after the other: the image is verified by whom it was signed."""
    folder = tmp_path / "luggage"
    shutil.copytree(built.folder, folder)
    # A commit of its own: by the same name the others' image would be this one.
    (folder / "README.md").write_text("another\n")
    commit(folder, "to be signed")
    image = docker.create(folder).stdout.strip()
    environ = {**bare(), "ENGINE": "docker"}
    for line in SEAL:
        words = line.replace("verify example", f"verify {image}")
        done = sh("sh", "-c", words, cwd=folder, env=environ)
    assert done.stdout.startswith(f"verified  image {image}\nsigned    by ")


def test_pex_without_an_engine(clone: Path) -> None:
    """With no engine the pex alone is packed and named, and it serves the same page."""
    environ = {**bare(), "ENGINE": "none"}
    done = sh("sh", "-c", CREATE, cwd=clone, env=environ)
    assert done.stdout == "build/example.pex\n"
    assert done.stderr.rstrip().splitlines()[-1].strip() == PEX
    port = free_port()
    environ = {**bare(), "PORT": str(port), "STANDIN_PORT": str(free_port())}
    with started(["sh", "-c", f"exec env {PEX}"], cwd=clone, env=environ) as process:
        end = time.monotonic() + 60
        page = ""
        while page.count("<li") < 2 and time.monotonic() < end and process.poll() is None:
            time.sleep(0.2)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                    page = answer.read().decode()
            except urllib.error.HTTPError as error:
                error.close()
            except OSError:
                pass
        assert page.count("<li") >= 2
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_secret_is_added_on_a_bare_machine(clone: Path) -> None:
    """`python3 -m deploy encrypt` makes its own .venv, changes one line, and leaves no trace."""
    done = sh("sh", "-c", ENCRYPT, cwd=clone, env=bare())
    assert "making" in done.stderr
    assert (clone / ".venv").is_dir()
    changed = sh("git", "diff", "--numstat", cwd=clone).stdout.split()
    assert changed == ["1", "1", "example_deploy/config.py"]
    words = ["grep", "-rlaF", "--exclude-dir=.git", "v4lue", "."]
    found = subprocess.run(words, cwd=clone, check=False, capture_output=True, text=True).stdout
    known = {"./README.md", "./tests/engine/test_engine_readme.py"}
    assert set(found.split()) - known == set()
    again = sh("sh", "-c", ENCRYPT, cwd=clone, env=bare())
    assert again.stderr == ""


def test_test_command_works_in_a_fresh_clone(clone: Path) -> None:
    """`tests/run` installs what it needs in the checkout, and runs."""
    done = sh(str(clone / TESTS), "tests/unit/test_run_table.py", cwd="/", env=bare())
    assert re.search(r"^=+ \d+ passed in .*=$", done.stdout.rstrip().splitlines()[-1])
