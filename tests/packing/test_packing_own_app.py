"""docs/own-app.md, done word for word: an app of one's own, packed without an engine, runs."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import own_app
import pytest

pytestmark = pytest.mark.packing


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project that the page makes, packed."""
    folder = tmp_path_factory.mktemp("own, with a space")
    done = own_app.follow(folder, own_app.ROOT, ENGINE="none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nbuild/shop.pex\n")
    assert done.stderr.rstrip().splitlines()[-1].strip() == own_app.PEX
    return folder / "shop"


def test_the_page_names_every_file_that_the_project_has(shop: Path) -> None:
    """What git knows is what the page made, and the key is not among it."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=shop, check=True, capture_output=True, text=True
    ).stdout.split()
    copied = set(own_app.COPIED)
    written = {step.file for step in own_app.steps() if step.file}
    assert {path for path in listed if not path.startswith("luggage/")} == written | copied
    assert (shop / "prod.key").stat().st_mode & 0o777 == 0o600
    dirty = subprocess.run(
        ["git", "status", "--porcelain"], cwd=shop, check=True, capture_output=True, text=True
    )
    assert dirty.stdout == ""


def test_nothing_of_the_example_is_in_it(shop: Path) -> None:
    """No file of the project that is not luggage's own names the example."""
    words = ["git", "grep", "-n", "-i", "example", "--", ":!luggage", ":!*.txt", ":!.gitignore"]
    done = subprocess.run(words, cwd=shop, check=False, capture_output=True, text=True)
    found = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert found <= {"create", "requirements.in"}
    assert not re.search(r"example_(app|deploy)", done.stdout)


def test_the_pex_serves_and_loops(shop: Path) -> None:
    """With its key it greets with the secret, the loop runs, and TERM ends it with 0."""
    port = free_port()
    environ = {**own_app.bare(), "PORT": str(port), "PEX_ROOT": str(shop / "build" / "root")}
    with (
        (shop / "build" / "log").open("w+") as log,
        subprocess.Popen(
            ["sh", "-c", f"exec env {own_app.PEX}"],
            cwd=shop,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            page = ""
            end = time.monotonic() + 60
            said = ""
            while time.monotonic() < end and process.poll() is None and not (page and said):
                time.sleep(0.1)
                page = page or get(port)
                said = "".join(re.findall("tidy, with a greeting.*", (Path(log.name)).read_text()))
            assert page == "Good morning, visitor\n", Path(log.name).read_text()
            assert said.startswith("tidy, with a greeting of 12 characters")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert "Good morning" not in Path(log.name).read_text()


def get(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return ""
    except OSError:
        return ""
