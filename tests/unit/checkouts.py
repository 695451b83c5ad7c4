"""A folder → a project of someone else's in a repository of its own, with its commands run."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from luggage.configfile import grammar
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context
from luggage.crypto.keys import PrivateKey

ROOT = Path(__file__).parent.parent.parent
CANARY = "canary-value-7c1d"
CONFIG = """\
from __future__ import annotations

from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="thing",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={},
)
"""
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "depot"))
"""
DAY = "2026-03-04T05:06:07+0100"
ENVIRON = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": DAY,
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": DAY,
}


class Checkout:
    """A package `depot` and its configuration, under git, with a home folder of its own.

    `like` is one to copy: making all by commands takes seconds.
    """

    def __init__(self, folder: Path, like: Checkout | None = None) -> None:
        self.root = folder / "work"
        self.home = folder / "home"
        self.config = self.root / "depot" / "config.py"
        self.environ = ENVIRON | {"HOME": str(self.home)}
        if like is not None:
            shutil.copytree(like.root.parent, folder, dirs_exist_ok=True)
        else:
            self.make()

    def make(self) -> None:
        self.config.parent.mkdir(parents=True)
        self.home.mkdir()
        self.config.write_text(CONFIG)
        (self.config.parent / "__init__.py").touch()
        (self.config.parent / "__main__.py").write_text(MAIN)
        (self.root / ".gitignore").write_text("*.key\n")
        self.git("init", "-q", "-b", "main")

    @property
    def pins(self) -> Path:
        return self.home / ".local/state/luggage/pins.json"

    def git(self, *words: str) -> str:
        return subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=self.environ,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, message: str = "change") -> str:
        """Commit all there is, and return the commit's name."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def run(
        self, *words: str, value: bytes = b"", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command; none of them ever shows the canary on stderr."""
        done = subprocess.run(
            [sys.executable, "-m", "depot", *words],
            cwd=self.root,
            env=self.environ | environ,
            input=value,
            capture_output=True,
            check=False,
            timeout=60,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert CANARY not in err
        assert "Traceback" not in err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def do(self, *words: str, value: bytes = b"", **environ: str) -> str:
        """stdout of a command that succeeds."""
        done = self.run(*words, value=value, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuse(self, *words: str, value: bytes = b"", **environ: str) -> str:
        """stderr of a command that fails and changes nothing."""
        before = self.config.read_bytes()
        done = self.run(*words, value=value, **environ)
        assert done.returncode in (1, 2), (done.stdout, done.stderr)
        assert before == self.config.read_bytes()
        assert CANARY not in done.stdout
        assert "error: " in done.stderr
        return done.stderr

    def key(self, environment: str = "demo") -> PrivateKey:
        text = (self.root / f"{environment}.key").read_text().strip()
        return keys.parse_keys(Secret(text)).keys[0]

    def sealed(self, environment: str = "demo") -> dict[str, str]:
        """The sealed values as they stand in the config module."""
        stated = grammar.read(self.config.read_bytes()).environments[environment]
        return {name: literal.value for name, literal in stated.values.items()}

    def opened(self, environment: str = "demo") -> dict[str, tuple[str, bytes]]:
        """Type and bytes of every value of an environment."""
        key = self.key(environment)
        epoch = grammar.read(self.config.read_bytes()).environments[environment].epoch
        found = {}
        for name, text in self.sealed(environment).items():
            place = Context("thing", environment, name, key.public, epoch)
            typed = envelope.unseal_typed(text, key, place)
            found[name] = (typed.kind, typed.value.reveal())
        return found

    def change(self, old: str, new: str) -> None:
        """Edit the config module by hand."""
        text = self.config.read_text()
        assert text.count(old) == 1
        self.config.write_text(text.replace(old, new))

    def rekey(self, environment: str = "demo", epoch: int = 1) -> PrivateKey:
        """Put another public key in an environment that has no values, as an attacker would."""
        key = keys.generate()
        there = grammar.read(self.config.read_bytes()).environments[environment]
        assert not there.values
        self.change(there.public_key, key.public.dump())
        self.change(f"epoch={there.epoch},", f"epoch={epoch},")
        return key


def spent() -> float:
    """Seconds of processor time that commands took so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
