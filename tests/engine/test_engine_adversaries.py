"""Saved images that two readers read differently: what `verify` takes is what podman runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import adversaries
import artifacts
import pytest
from engines import Engine

from luggage.errors import LuggageError
from luggage.seal import artifact, verify
from luggage.seal.artifact import Artifact
from luggage.seal.verify import Wanted

pytestmark = [pytest.mark.engine, pytest.mark.podman]

# What the engine puts into a container that it makes.
ENGINES = ("dev", "etc", "proc", "run/.containerenv", "sys")


def taken(path: Path) -> Artifact | None:
    """What the file holds, where it verifies."""
    try:
        found = artifact.load(path)
        verdict = verify.verify(
            found, verify.given(found, None, None), Wanted(artifacts.KEY.public)
        )
    except LuggageError:
        return None
    return None if verdict.problems else found


def loaded(podman: Engine, path: Path) -> dict[str, tuple[str, str | int]]:
    """The tree that podman makes of the file; empty where it refuses it."""
    done = subprocess.run(
        [*podman.command, "load", "-q", "-i", path], capture_output=True, check=False
    )
    if done.returncode:
        return {}
    try:
        container = podman("create", adversaries.TAG)
        try:
            words = [*podman.command, "export", container]
            exported = subprocess.run(words, capture_output=True, check=True).stdout
        finally:
            podman("rm", "-f", container)
    finally:
        podman("image", "rm", "-f", adversaries.TAG)
    return adversaries.tree_of(exported)


CASES = {**adversaries.RIGHT, **{case: make for case, (make, _) in adversaries.WRONG.items()}}


@pytest.mark.parametrize("case", CASES)
def test_what_verifies_is_what_podman_runs(podman: Engine, tmp_path: Path, case: str) -> None:
    """Loaded and exported again, path by path; whatever podman reads otherwise is refused."""
    path = tmp_path / "image.tar"
    path.write_bytes(adversaries.archive(CASES[case], artifacts.release()))
    found = taken(path)
    assert (found is not None) is (case in adversaries.RIGHT)
    tree = loaded(podman, path)
    if found is None:
        source = tree.get(adversaries.EVIL, ("none", 0))
        print(f"{case}: podman would run a source of {source[1]} bytes")
        return
    told = {
        path: (it.kind, it.target or it.size or 0)
        for path, it in found.entries.items()
        if path.split("/")[0] not in ENGINES
    }
    assert told.items() <= tree.items()
    more = {it for it in tree.keys() - found.entries.keys() if not it.startswith(ENGINES)}
    assert more <= {"run"}
