"""The vectors, opened by a second implementation in JavaScript over libsodium's own wrappers."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.node
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VECTORS = ROOT / "tests" / "vectors"
FILES = ("package.json", "package-lock.json", "decode.mjs")
# The grammar of a config module is Python's own: tests/decoder.py is the second reader of that.
KINDS = ("key", "bundle", "envelope", "manifest", "listing", "seal", "signature")


@functools.cache
def heads() -> dict[str, dict[str, str]]:
    """File → the words of its head, for every vector that is not a config module."""
    found = {}
    for path in sorted(VECTORS.glob("*.txt")):
        lines = path.read_bytes().partition(b"\n\n")[0].decode("ascii").splitlines()
        head = dict(line.split(": ", 1) for line in lines)
        if head["kind"] in KINDS:
            found[path.name] = head
    return found


@pytest.fixture(scope="module")
def decoded() -> dict[str, dict[str, str]]:
    """File → what decode.mjs found in it; its packages are installed from the lock, in build/."""
    folder = ROOT / "build" / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy(HERE / name, folder / name)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=5"]
    done = subprocess.run(words, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = ["node", str(folder / "decode.mjs"), str(VECTORS)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row.pop("file"): row for row in rows}


def test_every_vector_was_read(decoded: dict[str, dict[str, str]]) -> None:
    """At least 200 files, none left out; config modules are left to tests/decoder.py."""
    assert sorted(decoded) == sorted(heads())
    assert len(decoded) >= 200


@pytest.mark.parametrize("file", heads())
def test_it_agrees_with_the_vector(file: str, decoded: dict[str, dict[str, str]]) -> None:
    """The same outcome, for the same reason, and of what passes the same bytes and keys."""
    head, found = heads()[file], decoded[file]
    assert head["expect"] == found["outcome"]
    if head["expect"] == "success":
        told = ("type", "value", "public-key", "key-id", "verify-key", "minimum-serial", "lists")
        expected = {word: head[word] for word in told if word in head}
        for word in {"envelope": ["public-key"], "signature": ["verify-key"]}.get(head["kind"], []):
            del expected[word]
        assert expected == {word: found[word] for word in expected}
        assert set(found) - {"outcome"} == set(expected)


def test_the_lock_pins_bytes_and_names_no_registry() -> None:
    """Every package has its digest, and whoever installs chooses where from."""
    lock = (HERE / "package-lock.json").read_text("utf-8")
    packages = json.loads(lock)["packages"]
    assert all(it["integrity"].startswith("sha512-") for name, it in packages.items() if name)
    assert "://" not in lock
