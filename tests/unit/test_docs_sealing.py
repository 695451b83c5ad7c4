"""docs/sealing.md: its lines that verify an image without luggage are run as they stand."""

from __future__ import annotations

import re
import subprocess
import tarfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import artifacts
import pytest
from artifacts import SITE, Release

PAGE = (Path(__file__).resolve().parents[2] / "docs/sealing.md").read_text()
BLOCKS = [
    textwrap.dedent(it)
    for it in re.findall(r"^ *```sh\n(.*?)^ *```", PAGE, re.MULTILINE | re.DOTALL)
]
LINES = "\n".join(it for it in BLOCKS if "listings" in it)


def lines(folder: Path, found: Release, *, squeezed: bool = False) -> tuple[int, str]:
    """Exit status and stdout of the page's lines over an image."""
    found.write_image(folder / "image.tar", squeezed=squeezed)
    (folder / "seal.json").write_bytes(found.sealed)
    done = subprocess.run(
        ["sh", "-c", LINES], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def made() -> Release:
    """With names that mtree escapes, and modes of every kind."""
    found = artifacts.release()
    names = ["usr/ü %s # * ? [ ] = x", "usr/back\\slash", "usr/\\040"]
    more = [artifacts.file(name, name.encode(), 0o4755) for name in names]
    more += [artifacts.folder("usr/of all", 0o3770, 5), artifacts.link("usr/l ->", "a b/")]
    return artifacts.listing_more(found, more)


@pytest.mark.parametrize("squeezed", [False, True])
def test_an_image_that_was_sealed_passes(made: Release, tmp_path: Path, squeezed: bool) -> None:
    """Plain and compressed layers."""
    assert LINES.count("set -eu") == 1
    assert "sha256sum -c --quiet" in LINES
    status, told = lines(tmp_path, made, squeezed=squeezed)
    assert status == 0
    assert told.splitlines()[-2:] == ["the same paths", "the same bytes"]


def _put(path: str, data: bytes) -> Callable[[Release], None]:
    return lambda found: found.put(path, data)


def _set(path: str, **values: object) -> Callable[[Release], None]:
    def change(found: Release) -> None:
        layer, at = found.member(path)
        for name, value in values.items():
            setattr(layer[at][0], name, value)

    return change


def _add(member: artifacts.Member, layer: int = 3) -> Callable[[Release], None]:
    return lambda found: found.layers[layer].append(member)


def _remove(path: str) -> Callable[[Release], None]:
    def change(found: Release) -> None:
        layer, at = found.member(path)
        del layer[at]

    return change


CHANGES = {
    "a file more": _add(artifacts.file(f"{SITE}/evil.pth", b"import evil")),
    "a folder more": _add(artifacts.folder("app/evil")),
    "a file more beside the seal": _add(artifacts.file("app/seal/evil.mtree")),
    "a file of a name with a line feed": _add(artifacts.file("app/a\n-rw-r--r-- 0/0 usr/odd name")),
    "a file less": _remove(f"{SITE}/six.py"),
    "a whiteout": _add(artifacts.file(f"{SITE}/.wh.six.py"), 4),
    "a hard link": _add(
        artifacts.link("usr/hard", "usr/bin/python3.13", tarfile.LNKTYPE, 0o755), 0
    ),
    "a file again in another layer": _add(artifacts.file(f"{SITE}/six.py", b"evil"), 4),
    "another link": _set("app/bin/python", linkname="/tmp/python"),
    "a link for a file": _set(f"{SITE}/six.py", type=tarfile.SYMTYPE, linkname="/tmp/x", size=0),
    "a mode": _set("usr/bin/python3.13", mode=0o4755),
    "a mode of a folder": _set("tmp", mode=0o777),
    "an owner": _set(f"{SITE}/six.py", uid=65532),
    "a group": _set("run/luggage", gid=0),
    "a byte": _put(f"{SITE}/six.py", b"six = 7\n"),
    "a source": _put(f"{SITE}/depot/start.py", b"import evil   \n"),
    "a listing": _put("app/seal/deps.mtree", b"#mtree\n"),
    "an SBOM": _put("app/seal/sbom.cdx.json", b"{}\n"),
    "a mode in the seal's folder": _set("app/seal/seal.json", mode=0o666),
}


@pytest.mark.parametrize("case", CHANGES)
def test_an_image_that_was_changed_fails(made: Release, tmp_path: Path, case: str) -> None:
    """Whatever was changed, the lines end with a failure before they say `the same bytes`."""
    other = made.copy()
    CHANGES[case](other)
    status, told = lines(tmp_path, other)
    assert status != 0
    assert "the same bytes" not in told
