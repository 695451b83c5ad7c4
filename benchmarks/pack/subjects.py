"""A checkout → what is compared: luggage's own `./create`, and peers of the same app."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from docker import docker, images, run

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
ROOT = HERE.parent.parent
PREFIX = "luggage-bench"
VOLUMES = ("wheels", "layers")
SOURCE = "example_app/page.py"  # where the one line is changed

# What the example needs, of its lock. A peer supervises and opens nothing by itself, so it is
# spared what luggage runs on; pip refuses a list that is not whole.
OF_THE_APP = {"blinker", "click", "flask", "gunicorn", "itsdangerous"}
OF_THE_APP |= {"jinja2", "markupsafe", "packaging", "urllib3", "werkzeug"}
GUNICORN = "gunicorn.app.wsgiapp:run"
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# What a peer's pip and uv are told of the host's settings: one name of pip's, and uv's for it.
SETTINGS = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_DEFAULT_TIMEOUT": "UV_HTTP_TIMEOUT",
}


@dataclass(frozen=True)
class Luggage:
    """A clone in `folder`, whose images and volumes have names of the benchmark's own."""

    folder: Path
    name: str = "luggage"

    @property
    def image(self) -> str:
        """The name without a tag."""
        return f"{PREFIX}-luggage"

    def set_up(self) -> None:
        """Clone what is committed."""
        run("git", "clone", "-q", ROOT, self.folder)
        _replace(self.folder / "create", "IMAGE=$NAME", f"IMAGE={self.image}")
        for word in (*VOLUMES, "deps"):
            _replace_in_steps(self.folder, f"luggage-{word}", f"{PREFIX}-{word}")
        self.commit("names of the benchmark's own")

    def commit(self, subject: str) -> None:
        """Everything that has changed."""
        who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
        run("git", *who, "commit", "-q", "-a", "-m", subject, cwd=self.folder)

    def change(self, line: str) -> None:
        """One line more in a source, committed."""
        _append(self.folder / SOURCE, line)
        self.commit(line)

    def prepare(self) -> None:
        """The builder, where it is not there: it belongs to whoever packs, and stays."""
        made_of = (self.folder / "build.docker").read_bytes() + f"{os.environ['BASE']}\n".encode()
        builder = f"luggage-builder:{hashlib.sha256(made_of).hexdigest()[:12]}"
        if builder in images("luggage-builder"):
            return
        self.build()
        # What came with it is no more than a first build makes.
        shutil.rmtree(self.folder / "build")
        docker("image", "rm", "-f", *images(f"{PREFIX}-luggage"), *images(f"{PREFIX}-deps"))
        docker("volume", "rm", *(f"{PREFIX}-{word}" for word in VOLUMES))
        print(f"bench: made {builder}, which stays", file=sys.stderr)

    def build(self) -> str:
        """The image's name."""
        return run("./create", "-q", cwd=self.folder).strip()

    def sign(self) -> tuple[str, str]:
        """Number it and sign it; the image with the signature, and the key bundle it needs."""
        self._deploy("serial", "--raise")
        self.commit("serial")
        self.build()
        verify_key = self._deploy("signing-key", PREFIX)
        self._deploy("sign", "--key", f"{PREFIX}.sign.key")
        words = ("demo.key", "--verify-key", verify_key, "--minimum-serial", "1")
        return self.build(), self._deploy("bundle", *words)

    def _deploy(self, *words: str) -> str:
        python = ROOT / ".venv/bin/python"
        found = python if python.exists() else sys.executable
        return run(found, "-m", "deploy", *words, cwd=self.folder).strip()


@dataclass(frozen=True)
class Peer:
    """A Dockerfile of `peers`, built in `folder`, on the image `base`."""

    folder: Path
    name: str
    base: str
    gunicorn: tuple[str, str] = ("/venv/bin/gunicorn", "")
    loop: tuple[str, str] = ("/venv/bin/python -m plain.loop", "")

    @property
    def image(self) -> str:
        """The name without a tag."""
        return f"{PREFIX}-{self.name}"

    def set_up(self, checkout: Path, *, whole: bool) -> None:
        """The build context: the app, its deployment, and what the build stage fetches with.

        `whole`: all of luggage's lock, rather than the part that the app needs.
        """
        self.folder.mkdir()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(checkout / "example_app", self.folder / "example_app", ignore=ignored)
        shutil.copytree(PEERS / "plain", self.folder / "plain", ignore=ignored)
        for file in ("gunicorn.conf.py", f"{self.name}.docker"):
            shutil.copy(PEERS / file, self.folder)
        text = (PEERS / "supervisord.conf").read_text()
        for word, value in zip(
            ("gunicorn", "gunicorn_environment", "loop", "loop_environment"),
            (*self.gunicorn, *self.loop),
            strict=True,
        ):
            text = text.replace("{" + word + "}", value)
        (self.folder / "supervisord.conf").write_text(text)
        fetch = self.folder / "fetch"
        fetch.mkdir()
        lock = (checkout / "requirements.txt").read_text()
        supervisor = (PEERS / "supervisor.txt").read_text()
        # Of this run alone: nothing is taken from an earlier one's cache.
        wanted = lock if whole else of_lock(lock, OF_THE_APP)
        (fetch / "requirements.txt").write_text(f"# {time.time_ns()}\n{wanted}\n{supervisor}")
        tools = (checkout / "luggage/buildpex/tools.txt").read_text()
        (fetch / "pex.txt").write_text(of_lock(tools, {"pex"}))
        shutil.copy(checkout / "luggage/buildpex/uv.txt", fetch)
        shutil.copy(PEERS / "shiv.txt", fetch)
        write_settings(fetch)

    def change(self, line: str) -> None:
        """One line more in a source."""
        _append(self.folder / SOURCE, line)

    def prepare(self) -> None:
        """The stages that apt fills; all peers have them in common."""
        for stage in ("tools", "python"):
            self._build(f"{self.image}-{stage}", "--target", stage)

    def build(self) -> str:
        """The image's name, one for each build."""
        return self._build(f"{self.image}:{time.time_ns()}")

    def _build(self, image: str, *options: str) -> str:
        given = ["--build-arg", f"BASE={self.base}", *options]
        docker("build", "-t", image, *given, "-f", self.folder / f"{self.name}.docker", self.folder)
        return image


def peers(folder: Path, base: str) -> list[Peer]:
    """(a) to (d), each with a folder of its own in `folder`."""

    def peer(name: str, file: str = "", variable: str = "") -> Peer:
        place = folder / name
        if not file:
            return Peer(place, name, base)
        return Peer(
            place,
            name,
            base,
            (file, f'{variable}="{GUNICORN}"'),
            (file, f'{variable}="plain.loop:main"'),
        )

    return [
        peer("pip"),
        peer("uv"),
        peer("pex", "/srv/app.pex", "PEX_MODULE"),
        peer("shiv", "/srv/app.pyz", "SHIV_ENTRY_POINT"),
    ]


def of_lock(text: str, names: Collection[str]) -> str:
    """The lines of a lock, with their hashes, for `names`."""
    found = list(re.finditer(r"^([a-z0-9-]+)==.*(?:\n[ \t].*)*", text, re.MULTILINE))
    if missing := set(names) - {it[1] for it in found}:
        sys.exit(f"error: lock: no line for {', '.join(sorted(missing))}")
    return "\n".join(it[0] for it in found if it[1] in names) + "\n"


def write_settings(folder: Path) -> None:
    """For the stage that fetches: the host's CA bundle, and where its packages come from."""
    lines = ["export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore"]
    found = [os.environ[it] for it in CERTIFICATES if Path(os.environ.get(it, "")).is_file()]
    if found:
        shutil.copy(found[0], folder / "ca.pem")
        lines.append("export PIP_CERT=/fetch/ca.pem SSL_CERT_FILE=/fetch/ca.pem")
    for name, of_uv in SETTINGS.items():
        if value := os.environ.get(name):
            lines.append(f"export {name}={shlex.quote(value)} {of_uv}={shlex.quote(value)}")
    (folder / "settings").write_text("\n".join(lines) + "\n")


def _append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(f"\n{line}\n")


def _replace_in_steps(folder: Path, old: str, new: str) -> None:
    steps = sorted((folder / "luggage/buildpex/create").glob("*.sh"))
    naming = [path for path in steps if old in path.read_text()]
    if not naming:
        sys.exit(f"error: create's steps no longer say {old}: the benchmark must follow")
    for path in naming:
        _replace(path, old, new)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        sys.exit(f"error: {path.name}: no longer says {old}: the benchmark must follow")
    path.write_text(text.replace(old, new))
