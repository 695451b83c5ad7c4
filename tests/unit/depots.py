"""A project of someone else's on the disk, with keys and sealed values, and its commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from luggage.configfile import grammar, keyfile, splice, unlock
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.keys import Bundle, PrivateKey
from luggage.errors import LuggageError

ROOT = Path(__file__).parent.parent.parent
FAULTS = ROOT / "tests" / "faults"
HEAD = '''\
"""The configuration of depot: ünïcödé."""

from __future__ import annotations

from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="thing",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={},
)
AFTER = {"lug1.": "not a secret"}  # kept
'''
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "depot"))
"""
Values = Mapping[str, Mapping[str, tuple[str, bytes]]]
VALUES: Values = {
    "demo": {
        "BLOB": ("bytes", b"\0\xff\n"),
        "LINES_API_KEY": ("text", "canary-pässword 🔑".encode()),
        "MOOD_API_KEY": ("json", b'{"canary": [1, 2.50]}\n'),
        "SITE": ("url", b"https://canary:x@example.org/"),
    },
    "prod": {"LINES_API_KEY": ("text", b"canary-prod"), "MOOD_API_KEY": ("text", b"canary")},
}


class Checkout:
    """The package `depot` in `root`, in a repository of its own, and the keys `demo`, `prod`."""

    def __init__(self, root: Path, values: Values = VALUES) -> None:
        self.root = root
        self.config = root / "depot" / "config.py"
        self.config.parent.mkdir(parents=True)
        (root / "home").mkdir()
        (self.config.parent / "__init__.py").touch()
        (self.config.parent / "__main__.py").write_text(MAIN)
        (root / ".gitignore").write_text("*.key\nhome\n")
        subprocess.run(["git", "init", "-q", root], check=True)
        self.keys: dict[str, PrivateKey] = {}
        source = HEAD.encode()
        for environment, there in values.items():
            key = self.keys[environment] = keys.generate()
            self.keep(f"{environment}.key", key)
            source = splice.add_environment(source, environment, key.public.dump())
            sealed = {}
            for name, (kind, value) in there.items():
                place = envelope.Context("thing", environment, name, key.public, 1)
                sealed[name] = envelope.seal(Secret(value), kind, place)
            source = splice.put_many(source, environment, sealed)
        self.config.write_bytes(source)
        # Later than now, so that every change steps the clock of the file: always the same calls.
        later = time.time() + 3600
        os.utime(self.config, (later, later))

    def keep(self, name: str, *found: PrivateKey) -> Path:
        """A key file, or with several keys a bundle."""
        path = self.root / name
        text = found[0].dump() if len(found) == 1 else Bundle(found).dump()
        path.touch(0o600)
        path.write_text(f"{text.reveal()}\n")
        return path

    def copy(self, root: Path) -> Checkout:
        """The same again, in `root`."""
        shutil.copytree(self.root, root)
        made = object.__new__(Checkout)
        made.root, made.config, made.keys = root, root / "depot" / "config.py", self.keys
        return made

    def environ(self, key: str = "", **variables: str) -> dict[str, str]:
        """A small environment; `key` names the key file."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **({"SECRET_KEY_FILE": key} if key else {}),
            **variables,
        }

    def faulty(self, **orders: object) -> dict[str, str]:
        """What orders a fault (tests/faults/sitecustomize.py)."""
        given = {f"LUGGAGE_FAULT_{name.upper()}": str(value) for name, value in orders.items()}
        return {"PYTHONPATH": f"{FAULTS}{os.pathsep}{ROOT}", **given}

    def start(self, *words: str, key: str = "", **variables: str) -> subprocess.Popen[bytes]:
        """A command that runs, with pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "depot", *words],
            cwd=self.root,
            env=self.environ(key, **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(
        self, *words: str, key: str = "", value: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]:
        """A command that has run."""
        with self.start(*words, key=key, **variables) as process:
            out, err = process.communicate(value, timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def refuse(self, *words: str, key: str = "", value: bytes = b"", **variables: str) -> str:
        """stderr of a command that fails, changes nothing and shows no value and no key."""
        before = self.files()
        done = self.run(*words, key=key, value=value, **variables)
        told = done.stderr.decode()
        assert (done.returncode in (1, 2), b"") == (True, done.stdout), told
        assert before == self.files()
        assert "error: " in told
        assert re.search(r"canary|Traceback|lug(key|bundle|sign)1\.[A-Za-z0-9_-]", told) is None, (
            told
        )
        return told

    def files(self) -> dict[Path, bytes]:
        """Every file but git's own."""
        return {
            path.relative_to(self.root): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and ".git" not in path.parts and "home" not in path.parts
        }

    def known(self) -> dict[str, PrivateKey]:
        """The keys in all key files, by the text of their public key; a broken file has none."""
        found = {}
        for path in self.root.glob("*.key"):
            try:
                bundle = keyfile.read(path)
            except LuggageError:
                continue
            found |= {key.public.dump(): key for key in bundle.keys}
        return found

    def values(self) -> dict[str, dict[str, tuple[str, bytes]]]:
        """Every value of config.py, opened with the keys on the disk; what does not open fails."""
        config = grammar.read(self.config.read_bytes())
        known = self.known()
        return {
            name: {
                secret: (it.kind, it.value.reveal())
                for secret, it in unlock.values(config, name, known[there.public_key]).items()
            }
            for name, there in config.environments.items()
        }

    def required(self) -> tuple[str, ...] | None:
        """`required` as config.py has it."""
        return grammar.read(self.config.read_bytes()).required
