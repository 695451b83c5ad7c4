"""The image as it lies there: who it runs as, what it holds, and what it lacks."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from engines import Built, Engine, sh

pytestmark = pytest.mark.engine
LAYERS = ("root.tar", "deps.tar", "luggage.tar", "app.tar", "seal.tar")


@pytest.fixture(scope="module")
def names(built: Built) -> list[str]:
    """Every path in the image's layers."""
    found = []
    for layer in LAYERS:
        with tarfile.open(built.folder / "build" / layer) as tar:
            found += [name.removeprefix("./") for name in tar.getnames()]
    return found


def test_image_names_its_user_its_health_and_its_origin(built: Built, docker: Engine) -> None:
    """uid 65532, health check and entry in exec form, the commit and the version in OCI labels."""
    config = json.loads(docker.inspect(built.image, "{{json .Config}}"))
    python = ["/app/bin/python", "-I", "-m", "luggage"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == python
    assert config["Cmd"] == ["start"]
    assert config["Healthcheck"]["Test"] == ["CMD", *python, "healthy"]
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    head = sh("git", "rev-parse", "HEAD", cwd=built.folder).stdout.strip()
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "example"
    assert labels["org.opencontainers.image.revision"] == head
    assert labels["org.opencontainers.image.version"]
    sealed = (built.folder / "build/seal.json").read_bytes()
    assert labels["luggage.seal"] == hashlib.sha256(sealed).hexdigest()


def test_image_is_small(built: Built, docker: Engine) -> None:
    """At most 80 MB uncompressed, and 30 MB as it is pushed."""
    assert int(docker.inspect(built.image, "{{.Size}}")) <= 80_000_000
    layers = [(built.folder / "build" / name).read_bytes() for name in LAYERS]
    assert sum(len(gzip.compress(data, 6)) for data in layers) <= 30_000_000


def test_a_commit_adds_little(built: Built, docker: Engine) -> None:
    """What changes with a source line is at most 100 kB to push, and its layers are the last."""
    layers = [(built.folder / "build" / name).read_bytes() for name in LAYERS[-2:]]
    assert sum(len(gzip.compress(data, 6)) for data in layers) <= 100_000
    assert len(json.loads(docker.inspect(built.image, "{{json .RootFS.Layers}}"))) == len(LAYERS)


def test_image_has_no_shell_and_no_installer(names: list[str]) -> None:
    """No shell, apt, dpkg, pip or compiler: the interpreter is the only program."""
    programs = {Path(name).name for name in names if name.startswith(("usr/bin/", "usr/sbin/"))}
    assert programs == {"python3", "python3.13"}
    assert not any(Path(name).name in ("sh", "bash", "dash", "busybox") for name in names)
    assert not any(name.startswith("app/") and "/pip/" in name for name in names)


def test_pack_island_stays_behind(names: list[str]) -> None:
    """What packs and what edits is not in the image."""
    inside = [name for name in names if "/site-packages/" in name]
    assert any(name.endswith("/luggage/run/supervise.py") for name in inside)
    for room in ("luggage/buildpex", "luggage/configfile", "pex"):
        assert not any(f"/site-packages/{room}/" in name for name in inside)


def test_layers_are_normalised(built: Built) -> None:
    """Every path in a layer is root's, but for the state folder, and none carries a clock."""
    for layer in LAYERS:
        with tarfile.open(built.folder / "build" / layer) as tar:
            members = tar.getmembers()
        owners = {(m.uid, m.gid) for m in members if m.name.removeprefix("./") != "run/luggage"}
        assert owners == {(0, 0)}
        assert len({member.mtime for member in members}) == 1


def test_root_serves_python_programs(built: Built, docker: Engine) -> None:
    """TLS trusts Debian's authorities, SQLite, time zones, media types and user names are there."""
    program = (
        "import mimetypes, os, pwd, sqlite3, ssl, zoneinfo, ctypes, lzma, bz2, uuid\n"
        "print(len(ssl.create_default_context().get_ca_certs()) > 100,"
        " sqlite3.connect(':memory:').execute('select 1').fetchone(),"
        " zoneinfo.ZoneInfo('Europe/Berlin'), mimetypes.guess_type('a.webp')[0],"
        " pwd.getpwuid(os.getuid()).pw_name, os.path.realpath('/app/bin/python'))\n"
    )
    said = docker(
        "run",
        "--rm",
        "--read-only",
        "--network",
        "none",
        "--entrypoint",
        "/app/bin/python",
        built.image,
        "-I",
        "-c",
        program,
    )
    assert said == "True (1,) Europe/Berlin image/webp luggage /usr/bin/python3.13"


def test_nothing_is_written_into_the_container(built: Built, docker: Engine, demo_key: str) -> None:
    """Not even where the root could be written: the state is in memory."""
    with docker.created(built.image, "-e", f"SECRET_KEY={demo_key}") as container:
        docker("start", container.name)
        container.wait_for(lambda: container.get()[1].count("<li") >= 1, seconds=20)
        docker("stop", container.name)
        assert docker("diff", container.name).strip() == ""


def test_packages_are_named_for_scanners(names: list[str]) -> None:
    """Each Debian package has its entry and its licence, and os-release names the distribution."""
    packages = {name.split("/")[-1] for name in names if name.startswith("var/lib/dpkg/status.d/")}
    assert {"libc6", "python3.13-minimal", "libssl3t64", "ca-certificates"} <= packages
    assert "usr/lib/os-release" in names
    assert "usr/share/doc/libc6/copyright" in names
