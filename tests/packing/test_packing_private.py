"""Packages of one's own, from the folder `wheels/` into the artifact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest
from packed import Checkout
from wheel_maker import wheel

pytestmark = pytest.mark.packing


def mkpex(project: Checkout) -> subprocess.CompletedProcess[str]:
    """As a developer types it; the wheels of everyone else come from a folder, and no index is
    asked.
    """
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    environ |= {"PIP_FIND_LINKS": str(project.wheels)}
    return subprocess.run(
        [sys.executable, "-m", "example_deploy", "mkpex"],
        cwd=project.root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_of_ones_own_is_packed_and_a_changed_one_is_refused(project: Checkout) -> None:
    """By the hash in the lock, like all others; the manifest names it. A changed one is refused
    though the cache has the old one, and the old artifact stays.
    """
    digest = wheel(project.root / "wheels", "own_thing", "1.0", text="WHOSE = 'ours'\n")
    wheel(project.root / "wheels", "spare", "1.0")
    with (project.root / "requirements.txt").open("a") as lock:
        lock.write(f"own-thing==1.0 --hash=sha256:{digest}\n")
    done = mkpex(project)
    assert done.returncode == 0, done.stderr
    told = "warning: wheels/spare-1.0-py3-none-any.whl: no line of requirements.txt or tools.txt"
    assert told in done.stderr
    pex = project.root / "build" / "example.pex"
    made = pex.read_bytes()
    with zipfile.ZipFile(pex) as archive:
        (path,) = (it for it in archive.namelist() if it.endswith("/own_thing.py"))
        assert archive.read(path) == b"WHOSE = 'ours'\n"
        assert not [it for it in archive.namelist() if "spare" in it]
    wheels = json.loads((project.root / "build" / "manifest.json").read_bytes())["wheels"]
    assert [it["version"] for it in wheels if it["name"] == "own-thing"] == ["1.0"]

    wheel(project.root / "wheels", "own_thing", "1.0", text="WHOSE = 'theirs'\n")
    done = mkpex(project)
    assert done.returncode == 1
    assert "error: wheels/own_thing-1.0-py3-none-any.whl: has SHA-256 " in done.stderr
    assert pex.read_bytes() == made
