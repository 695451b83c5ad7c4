"""This machine → the engines that pack: docker, podman, and podman of an ordinary user.

None of them has to pull the base image: what docker has is given to the others.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from commands import UnavailableError, quietly, text
from ways import BASE, Engine, Way, needs

USER = "luggage-bench"
# What an ordinary user's pip reads, below the home.
_PIP = (".pip/pip.conf", ".config/pip/pip.conf")
_PASSED = ("LANG", "PATH", "SSL_CERT_FILE", "PIP_CERT", "http_proxy", "https_proxy", "no_proxy")


class Engines(contextlib.ExitStack):
    """Each is made when it is first asked for; at the end, nothing of them is left."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        super().__init__()
        self._folder = folder
        self._environ = environ
        self._made: dict[tuple[str, bool], Engine] = {}

    def of(self, way: Way) -> Engine:
        """The engine of a way; raises UnavailableError."""
        needs(way.engine)
        rootless = way.rootless and os.geteuid() == 0
        key = (way.engine, rootless)
        if key not in self._made:
            plain = Engine(way.engine, self._environ)
            made = self._person(way.engine) if rootless else plain
            if way.engine != "docker":
                made("load", "-q", "-i", self._base())
            self._made[key] = made
        return self._made[key]

    def _base(self) -> Path:
        """The base image as a file."""
        file = self._folder / "base.tar"
        if not file.exists():
            needs("docker")
            text("docker", "save", "-o", file, BASE, env=self._environ)
            file.chmod(0o644)
        return file

    def _person(self, name: str) -> Engine:
        """The engine of a user who is made for this, with the pip settings of who measures."""
        needs("runuser")
        if subprocess.run(["id", USER], capture_output=True, check=False).returncode == 0:
            raise UnavailableError(f"a user {USER} is there already; to remove: userdel -r {USER}")
        text("useradd", "-m", "-s", "/bin/sh", USER)
        self.callback(quietly, "userdel", "-r", USER)
        person = pwd.getpwnam(USER)
        home, runtime = Path(person.pw_dir), self._folder / "run"
        runtime.mkdir(mode=0o700)
        os.chown(runtime, person.pw_uid, person.pw_gid)
        for path in _PIP:
            if (own := Path(self._environ.get("HOME", "/")) / path).is_file():
                (home / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(own, home / path)
        text("chown", "-R", f"{USER}:", home)
        environ = {it: self._environ[it] for it in _PASSED if it in self._environ}
        environ |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "USER": USER}
        made = Engine(name, environ, ("runuser", "-u", USER, "--"), USER)
        self.callback(quietly, *made.prefix, name, "system", "reset", "-f", env=environ)
        return made
