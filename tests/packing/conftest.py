"""Wheels fetched once, a checkout, and one artifact that most tests look into."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path

import pytest
from packed import ROOT, Checkout, Pex, checkout

from luggage.buildpex import collect


@pytest.fixture(scope="session")
def wheels() -> Path:
    """The wheelhouse of both locks, fetched with the host's own settings where it is not there."""
    locks = [ROOT / "requirements.txt", ROOT / "luggage/buildpex/tools.txt"]
    cache = ROOT / "build" / "cache"
    folder = cache / collect.digest(locks, platform.python_version())
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="new.") as new:
            collect.fetch(locks, Path(new), os.environ)
            collect.settle(Path(new), folder)
    return folder


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Checkout:
    """A committed copy of this tree that no test changes."""
    return checkout(tmp_path_factory.mktemp("checkout") / "project", wheels)


@pytest.fixture
def project(tmp_path: Path, pristine: Checkout) -> Checkout:
    """A committed copy of this tree for one test."""
    return checkout(tmp_path / "project", pristine.wheels, pristine.root)


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory, pristine: Checkout) -> Path:
    """The folder with example.pex and manifest.json, packed once."""
    output = tmp_path_factory.mktemp("artifact")
    done = pristine.mkpex(output)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{output / 'example.pex'}\n"
    return output


@pytest.fixture(scope="session")
def pex(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Pex:
    """A way to run the pex, with a cache of its own."""
    return Pex(artifact / "example.pex", tmp_path_factory.mktemp("pex-root"))
