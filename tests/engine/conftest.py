"""One clean image and one of a dirty tree, built once; Docker, podman, and podman without root."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import CANARY, IMAGE, PROXIED, ROOT, Built, Engine, checkout, sh

USER = "luggage-test"
SLOW = '''

_page = app


def app(environ, start_response):  # type: ignore[no-untyped-def]  # noqa: F811
    """The page, and an answer that takes three seconds."""
    import time

    if environ["PATH_INFO"] != "/slow":
        return _page(environ, start_response)
    time.sleep(3)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"slow\\n"]
'''


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    """The engine that answers as docker; its images of these tests are removed at the end."""
    if shutil.which("docker") is None:
        pytest.skip("left out: docker is not installed")
    engine = Engine("docker", ("docker",))
    yield engine
    _remove_images(engine)


@pytest.fixture(scope="session")
def demo_key() -> str:
    return (ROOT / "demo.key").read_text().removesuffix("\n")


@pytest.fixture(scope="session")
def built(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image of a clean tree."""
    folder = checkout(tmp_path_factory.mktemp("clean") / "project")
    done = docker.create(folder)
    return Built(folder, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def dirty(built: Built, docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The image of a dirty tree, made by two `./create` at once.

    It has a slow route, and another LINES_API_KEY than the stand-in accepts.
    """
    folder = tmp_path_factory.mktemp("dirty, with a space") / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))
    with (folder / "example_deploy/wsgi.py").open("a") as wsgi:
        wsgi.write(SLOW)
    words = [sys.executable, "-m", "deploy", "encrypt", "LINES_API_KEY"]
    subprocess.run(words, cwd=folder, input=CANARY, text=True, check=True)
    words = [str(folder / "create")]
    environ = {**docker.environ, "ENGINE": "docker", "no_proxy": PROXIED}
    both = [
        subprocess.Popen(
            words, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]
    return Built(folder, said[0][0], said[0][1])


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base image as a file, so that no engine has to pull it."""
    file = tmp_path_factory.mktemp("base") / "base.tar"
    sh("docker", "save", "-o", file, "debian:trixie-slim")
    file.chmod(0o644)
    return file


@pytest.fixture(scope="session")
def podman(base: Path) -> Iterator[Engine]:
    """podman as the user who runs the tests."""
    engine = Engine("podman", ("podman",))
    engine("load", "-q", "-i", base)
    yield engine
    _remove_images(engine)


@pytest.fixture(scope="session")
def rootless(base: Path) -> Iterator[Engine]:
    """podman as an ordinary user; where the tests run as root, as one made for this."""
    if os.geteuid() != 0:
        engine = Engine("podman", ("podman",))
        engine("load", "-q", "-i", base)
        yield engine
        _remove_images(engine)
        return
    _remove_user()
    sh("useradd", "-m", "-s", "/bin/sh", USER)
    person = pwd.getpwnam(USER)
    runtime = Path(tempfile.mkdtemp(prefix="luggage-run-"))
    os.chown(runtime, person.pw_uid, person.pw_gid)
    passed = ("LANG", "PATH", "SSL_CERT_FILE", "PIP_CERT", "http_proxy", "https_proxy", "no_proxy")
    environ = {name: os.environ[name] for name in passed if name in os.environ}
    environ |= {"HOME": person.pw_dir, "XDG_RUNTIME_DIR": str(runtime), "USER": USER}
    load = Path(person.pw_dir) / "base.tar"
    shutil.copy(base, load)
    engine = Engine("podman", ("runuser", "-u", USER, "--", "podman"), environ)
    try:
        engine("load", "-q", "-i", load)
        yield engine
    finally:
        engine("system", "reset", "-f", check=False)
        _remove_user()
        shutil.rmtree(runtime, ignore_errors=True)


def _remove_user() -> None:
    """Whatever runs as that user, from a run that was cut off, would keep it."""
    with contextlib.suppress(KeyError):
        uid = pwd.getpwnam(USER).pw_uid
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if folder.stat().st_uid == uid:
                    os.kill(int(folder.name), signal.SIGKILL)
    end = time.monotonic() + 10
    while sh("userdel", "-r", USER, check=False).returncode == 8:  # it has processes still
        assert time.monotonic() < end, f"the user {USER} is used"
        time.sleep(0.1)


def _remove_images(engine: Engine) -> None:
    listed = engine("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    mine = [name for name in listed if name.removeprefix("localhost/").startswith(f"{IMAGE}:")]
    if mine:
        engine("image", "rm", "-f", *mine, check=False)
