"""The start check in a real image: what is signed starts, what was changed opens no secret."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from engines import Built, Engine, commit, sh

from luggage.crypto import signing

pytestmark = pytest.mark.engine
SITE = "/app/lib/python3.13/site-packages"
UNREADY = ("starting gunicorn", "Listening", "Traceback")


@dataclass(frozen=True)
class Signed:
    """The image of a release with serial 1, the id of its verify key, and two key bundles."""

    folder: Path
    image: str
    key_id: str
    first: str
    second: str


@pytest.fixture(scope="module")
def signed(built: Built, docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """As docs/format.md §5 and §9 say, by the commands that a user types."""
    folder = tmp_path_factory.mktemp("signed") / "project"
    shutil.copytree(built.folder, folder, ignore=shutil.ignore_patterns("build"))

    def deploy(*words: str) -> str:
        return sh(sys.executable, "-m", "deploy", *words, cwd=folder).stdout.strip()

    assert deploy("serial") == "1"
    # A commit of its own: by the same name the others' image would be this one.
    (folder / "README.md").write_text("another\n")
    commit(folder, "to be signed")
    verify = deploy("signing-key", "release")
    docker.create(folder)
    deploy("sign", "--key", "release.sign.key")
    done = docker.create(folder)
    bundled = ("bundle", "demo.key", "--verify-key", verify)
    keys = [deploy(*bundled, "--minimum-serial", number) for number in ("1", "2")]
    told = deploy("signing-key", "release", "--public")
    assert told == verify
    return Signed(folder, done.stdout.strip(), signing.parse_verify(verify).id, *keys)


def test_a_signed_image_starts(signed: Signed, docker: Engine) -> None:
    """Hardened, with a bundle that names its verify key; the log names the key as well."""
    with docker.running(signed.image, key=signed.first) as container:
        container.serves()
        assert "as packed" in container.logs()
        assert f"signed by {signed.key_id}, serial 1" in container.logs()


def test_mounts_and_files_of_the_engine_are_no_damage(signed: Signed, docker: Engine) -> None:
    """A volume, the host's time zone and authorities, memory over /run and /tmp."""
    mounts = (
        *("-v", f"{signed.folder}/docs:/data:ro", "-v", "/etc/ssl/certs:/etc/ssl/certs:ro"),
        *("-v", "/etc/hostname:/etc/localtime:ro", "--tmpfs", "/tmp", "--tmpfs", "/run"),
    )
    with docker.running(signed.image, *mounts, key=signed.first) as container:
        container.serves()


def test_a_container_starts_again(signed: Signed, docker: Engine) -> None:
    """What its processes leave behind is no damage, also where they are root's."""
    with docker.created(
        signed.image, "--user", "0", "-e", f"SECRET_KEY={signed.first}"
    ) as container:
        for _ in range(2):
            docker("start", container.name)
            container.serves()
            docker("stop", container.name)
        assert container.status() == 0


@pytest.mark.parametrize("command", ["start", "loop"])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        (f"{SITE}/example_app/robot.py", "changed"),
        (f"{SITE}/flask/json/tag.py", "changed"),
        ("/usr/lib/python3.13/this.py", "changed"),
        (f"{SITE}/more.pth", "was not packed"),
        ("/usr/lib/python3.13/sitecustomize2.py", "was not packed"),
        ("/app/seal/deps.mtree", "changed"),
    ],
)
def test_what_was_changed_opens_nothing(
    signed: Signed, docker: Engine, command: str, path: str, told: str
) -> None:
    """A file that is not loaded yet, the library's, a listing, a planted one: exit status 1."""
    options = ("-e", f"SECRET_KEY={signed.first}")
    with docker.created(signed.image, *options) as container:
        container.give(path, b"x = 1\n")
        docker("start", container.name)
        docker("wait", container.name)
        log = container.logs()
        assert (container.status(), f"error: {path}: {told}" in log) == (1, True), log
        assert not any(word in log for word in UNREADY), log


def test_an_old_release_and_an_unsigned_one_are_refused(
    signed: Signed, built: Built, docker: Engine
) -> None:
    """Each is whole, and yet not what the key is for."""
    for image, key, told in (
        (signed.image, signed.second, "has serial 1, but the key is for 2 and later ones"),
        (built.image, signed.first, "this image is unsigned, but the key is for releases signed"),
    ):
        with docker.running(image, key=key) as container:
            docker("wait", container.name)
            log = container.logs()
            assert (container.status(), told in log) == (1, True), log
