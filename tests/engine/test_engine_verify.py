"""A real image, signed: what the engines save of it verifies, and nothing that they made of it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines import IMAGE, ROOT, Built, Engine, sh

from luggage.buildpex import engine, stored
from luggage.buildpex.store import Names, Store
from luggage.buildpex.stored import Checkout

pytestmark = pytest.mark.engine

BUILDER = "luggage-builder"


def deploy(
    built: Built, *words: str, status: int = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """A command of the deployment in the checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy", *words],
        cwd=built.folder,
        env={**os.environ, "ENGINE": "docker", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def signed(built: Built, docker: Engine) -> Iterator[tuple[Built, str]]:
    """The image with a signature in it, and the verify key; made again by a second ./create."""
    key = deploy(built, "signing-key", "release").stdout.strip()
    deploy(built, "sign", "--key", "release.sign.key")
    done = docker.create(built.folder)
    yield Built(built.folder, done.stdout, done.stderr), key


@pytest.fixture(scope="module")
def saved(
    signed: tuple[Built, str], docker: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The signed image as a file."""
    file = tmp_path_factory.mktemp("saved") / "image.tar"
    docker("save", "-o", file, signed[0].image)
    return file


@contextlib.contextmanager
def changed(
    docker: Engine, image: str, lines: str, files: dict[str, str], folder: Path
) -> Iterator[str]:
    """An image made of another one by the engine, removed at the end."""
    (folder / "Dockerfile").write_text(f"FROM {image}\n{lines}\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    made = f"{IMAGE}:changed"
    docker("build", "-q", "--no-cache", "-t", made, folder)
    try:
        yield made
    finally:
        docker("image", "rm", made)


def test_the_image_and_what_docker_saves_of_it_verify(
    signed: tuple[Built, str], saved: Path
) -> None:
    """By name, and as a file; who signed and which commit on stdout."""
    built, key = signed
    for what in (built.image, str(saved)):
        told = deploy(built, "verify", what, "--verify-key", key)
        assert told.stderr == ""
        head = sh("git", "rev-parse", "HEAD", cwd=built.folder).stdout.strip()
        assert f"commit {head}" in told.stdout
        assert "signed    by " in told.stdout
        assert "in 5 layers" in told.stdout
    told = deploy(built, "verify", "build/example.pex", "--verify-key", key)
    assert "verified  pex build/example.pex" in told.stdout


@pytest.mark.podman
def test_what_podman_saves_verifies(
    signed: tuple[Built, str], saved: Path, podman: Engine, tmp_path: Path
) -> None:
    """Loaded there and saved again; the OCI format loses the health check, and the hint says so."""
    built, key = signed
    podman("load", "-q", "-i", saved)
    name = f"localhost/{built.image}"
    try:
        deploy(built, "verify", name, "--verify-key", key, ENGINE="podman")
        for form, status in (("docker-archive", 0), ("oci-archive", 1)):
            file = tmp_path / f"{form}.tar"
            podman("save", "-q", "--format", form, "-o", file, name)
            done = deploy(built, "verify", str(file), "--verify-key", key, status=status)
            assert ("the OCI format has no health checks" in done.stderr) is bool(status)
        assert deploy(built, "diff", str(saved), name, ENGINE="podman").stdout == "equal\n"
    finally:
        podman("image", "rm", "-f", name)


SITE = "/app/lib/python3.13/site-packages"
CHANGES = {
    "a module more": (
        f"COPY evil.pth {SITE}/",
        {"evil.pth": "import evil"},
        "evil.pth': was added",
    ),
    "a module replaced": (
        f"COPY wsgi.py {SITE}/example_deploy/wsgi.py",
        {"wsgi.py": "evil"},
        "wsgi.py': its content is not what was sealed",
    ),
    "ENV": ("ENV PYTHONPATH=/tmp", {}, "variable 'PYTHONPATH' is set"),
    "USER": ("USER 0", {}, "User is '0', and not '65532:65532'"),
    "ENTRYPOINT": ('ENTRYPOINT ["/usr/bin/python3", "-c", "evil"]', {}, "Entrypoint is "),
    "CMD": ('CMD ["loop"]', {}, "Cmd is ['loop']"),
    "HEALTHCHECK": ("HEALTHCHECK NONE", {}, "Healthcheck is {'Test': ['NONE']"),
    "VOLUME": (f"VOLUME {SITE}", {}, "Volumes is set"),
    "WORKDIR": ("WORKDIR /tmp", {}, "WorkingDir is '/tmp'"),
    "ONBUILD": ("ONBUILD COPY evil /", {}, "OnBuild is set"),
    "STOPSIGNAL": ("STOPSIGNAL SIGKILL", {}, "StopSignal is 'SIGKILL'"),
    "SHELL": ('SHELL ["/usr/bin/python3"]', {}, "Shell is set"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_an_engine_made_of_it_is_refused(
    signed: tuple[Built, str], docker: Engine, tmp_path: Path, case: str
) -> None:
    """One instruction more, and the image is not what was signed; `diff` names it, too."""
    built, key = signed
    lines, files, why = CHANGES[case]
    with changed(docker, built.image, lines, files, tmp_path) as image:
        done = deploy(built, "verify", image, "--verify-key", key, status=1)
        assert why in done.stderr
        assert done.stdout == ""
        deploy(built, "diff", built.image, image, status=1)


def test_each_flipped_byte_of_a_sample_is_refused(signed: tuple[Built, str], saved: Path) -> None:
    """The benchmark, in small: bytes of the real pex, of the real layers, and of the rest."""
    words = ("--image", saved, "--pex", signed[0].folder / "build/example.pex")
    script = ROOT / "benchmarks/verify"
    done = sh(sys.executable, script, *words, "--cases", "40", "--outside", "10", "--seed", "1")
    assert "\n40 of 40 refused" in done.stdout
    assert "\n10 bytes of the saved file outside" in done.stdout
    assert "read differently: all refused\n" in done.stdout


def test_inspect_reads_the_image(signed: tuple[Built, str], docker: Engine) -> None:
    """Its layers with sizes, Debian's packages, and whether the key opens its secrets."""
    built, _ = signed
    done = deploy(built, "inspect", built.image, "--json", SECRET_KEY_FILE="demo.key")
    told = json.loads(done.stdout)
    assert len(told["layers"]) == 5
    assert 0 < told["squeezed"] < told["size"]
    assert "python3.13-minimal" in told["debian"]
    assert [it["opens"] for it in told["environments"]] == [True]
    layers = json.loads(
        docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", built.image)
    )
    assert [it["diff_id"] for it in told["layers"]] == layers


def test_a_name_without_a_tag_is_the_latest(signed: tuple[Built, str]) -> None:
    """Though docker saves the images of all tags for it."""
    built, key = signed
    assert ":" in built.image
    deploy(built, "verify", built.image.partition(":")[0], "--verify-key", key)
    deploy(built, "inspect", "no-such-image-here", status=1)


def test_pex_and_image_are_of_the_same_inputs(signed: tuple[Built, str]) -> None:
    """One ./create makes both."""
    built, _ = signed
    told = deploy(built, "diff", "build/example.pex", built.image).stdout
    assert told == "equal, as far as a pex and an image can be\n"


# --- cache --------------------------------------------------------------------------------------


def test_cache_knows_the_images_that_create_uses(built: Built, docker: Engine) -> None:
    """Their tags are those that ./create makes: the layers below the result are the base's."""
    found = Checkout(built.folder, built.folder / "requirements.txt", stored.BASE)
    template = "{{json .RootFS.Layers}}"
    below = json.loads(
        docker("image", "inspect", "--format", template, f"luggage-deps:{found.below()}")
    )
    layers = json.loads(docker("image", "inspect", "--format", template, built.image))
    assert layers[: len(below)] == below
    assert docker("image", "inspect", "--format", "{{.Id}}", f"{BUILDER}:{found.builder()}")
    names = {it.name: it.needed for it in Store(engine.find(docker.environ)).images(found)}
    assert names[f"{BUILDER}:{found.builder()}"]
    assert names[f"luggage-deps:{found.below()}"]


@pytest.fixture
def store(docker: Engine) -> Iterator[Store]:
    """What a machine keeps, under other names than the real ones."""
    names = Names(
        f"{IMAGE}-builder", f"{IMAGE}-deps", (f"{IMAGE}-wheels", f"{IMAGE}-layers"), f"{IMAGE}-c-"
    )
    for tag in ("a" * 12, "b" * 12):
        docker("tag", "debian:trixie-slim", f"{names.builder}:{tag}")
        docker("tag", "debian:trixie-slim", f"{names.base}:{tag}")
    docker("tag", "debian:trixie-slim", f"{names.base}-other:{'a' * 12}")
    for volume in names.volumes:
        docker("volume", "create", volume)
    yield Store(engine.find(docker.environ), names)
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    for name in listed:
        if name.startswith((names.builder, names.base)):
            docker("image", "rm", "-f", name)
    docker("volume", "rm", *names.volumes)


class Tagged(Checkout):
    """A checkout that uses the tags of b."""

    def builder(self) -> str:
        return "b" * 12

    def below(self) -> str:
        return "b" * 12


def test_cache_prunes_volumes_and_images(store: Store, docker: Engine, tmp_path: Path) -> None:
    """What the locks do not name goes, with its name alone; other names stay, and what is used."""
    wheels, layers = store.names.volumes
    old, new = "a" * 64, "b" * 64
    make = (
        f"cd /kept; mkdir w/{old} w/{new} l/base-{old} l/base-{new} l/tools-{old} 'w/a name'\n"
        f"head -c 100000 /dev/zero > w/{old}/x; touch -d 2020-01-01 l/base-{old}"
    )
    mounts = ("-v", f"{wheels}:/kept/w", "-v", f"{layers}:/kept/l")
    docker("run", "--rm", *mounts, "debian:trixie-slim", "sh", "-euc", make)
    checkout = Tagged(tmp_path, tmp_path / "requirements.txt", stored.BASE)
    items = [*store.volumes([new], 1e10), *store.images(checkout)]
    unused = [it for it in items if not it.needed]
    assert {(it.place, it.name) for it in unused} == {
        (wheels, old),
        (layers, f"base-{old}"),
        ("image", f"{store.names.builder}:{'a' * 12}"),
        ("image", f"{store.names.base}:{'a' * 12}"),
    }
    assert next(it.size for it in unused if it.name == old) >= 100_000
    assert not store.busy()
    assert store.forget(unused) == []
    left = [*store.volumes([new], 1e10), *store.images(checkout)]
    assert {it.name for it in left if it.place in store.names.volumes} == {
        new,
        "a name",
        f"base-{new}",
        f"tools-{old}",
    }
    assert all(it.needed for it in left)
    assert docker("image", "inspect", "-f", "{{.Id}}", f"{store.names.base}-other:{'a' * 12}")


def test_cache_leaves_what_a_container_uses(store: Store, docker: Engine, tmp_path: Path) -> None:
    """An image of a running container stays, and is told; a ./create that runs is seen."""
    name = f"{store.names.base}:{'a' * 12}"
    docker("build", "-q", "-t", name, _context(tmp_path))
    container = f"{store.names.container}1"
    docker("run", "-d", "--name", container, name, "sleep", "60")
    try:
        assert store.busy()
        checkout = Tagged(tmp_path, tmp_path / "requirements.txt", stored.BASE)
        unused = [it for it in store.images(checkout) if it.name == name]
        assert store.forget(unused) == unused
        assert docker("image", "inspect", "-f", "{{.Id}}", name)
    finally:
        docker("rm", "-f", container)


def _context(folder: Path) -> Path:
    """An image of its own, which no other name has."""
    (folder / "Dockerfile").write_text("FROM debian:trixie-slim\nENV ITS=own\n")
    return folder
