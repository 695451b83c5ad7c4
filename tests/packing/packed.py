"""A checkout of its own, packed by the real command in a real process."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("example_app", "example_deploy", "luggage")
FILES = (*PACKAGES, "requirements.txt", ".gitignore")


@dataclass(frozen=True)
class Checkout:
    """A copy of this tree at `root`, a repository with one commit, and wheels to pack it with."""

    root: Path
    wheels: Path

    def words(self, output: Path, *more: str) -> list[str]:
        """The command that packs into `output`, as `create` runs it."""
        wheels = ("--wheels", str(self.wheels))
        return [
            *(sys.executable, "-m", "luggage.buildpex.boot", *wheels),
            *("--package", "example_deploy", "--", "mkpex", *wheels),
            *("--output", str(output), *more),
        ]

    def mkpex(
        self, output: Path, *more: str, environ: Mapping[str, str] | None = None, umask: int = 0o022
    ) -> subprocess.CompletedProcess[str]:
        """Pack into `output` and return the finished process."""
        return subprocess.run(
            self.words(output, *more),
            cwd=self.root,
            env={**os.environ, **(environ or {})},
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *words: str) -> str:
        name = ("-c", "user.name=T", "-c", "user.email=t@example.org")
        when = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
        done = subprocess.run(
            ["git", *name, *words],
            cwd=self.root,
            env={**os.environ, **when},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


def checkout(root: Path, wheels: Path, source: Path = ROOT) -> Checkout:
    """A copy at `root` of what git knows of `source`, committed at a fixed moment."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *FILES],
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    for path in filter(None, listed.stdout.split("\0")):
        if (source / path).is_file():  # others may be at work in this checkout
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, root / path)
    made = Checkout(root, wheels)
    made.git("init", "-q")
    made.git("add", ".")
    made.git("commit", "-q", "-m", "first")
    return made


def debian(path: Path) -> Path:
    """A tar as the builder makes it of Debian's packages, but of two small ones."""
    stanza = "Package: {}\nVersion: {}\nArchitecture: amd64\nMaintainer: Debian <d@example.org>\n"
    files = {
        "usr/lib/os-release": 'ID=debian\nVERSION_ID="13"\n',
        "var/lib/dpkg/status.d/libc6": stanza.format("libc6", "2.41-12"),
        "var/lib/dpkg/status.d/python3.13-minimal": stanza.format("python3.13-minimal", "3.13.5-2"),
    }
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def digests(folder: Path) -> dict[str, str]:
    """File name → SHA-256 of every file in a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


class Pex:
    """The pex at `path`, started as a user starts it."""

    def __init__(self, path: Path, root: Path) -> None:
        self.path = path
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root), "PEX_ROOT": str(root)}

    def __call__(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.path), *words],
            cwd="/",
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
