"""Slim wheels: every module that is left imports as it did, and nothing that it needs is gone."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from packed import ROOT

from luggage.buildpex import deadweight, lock, slim, wheelhouse
from luggage.buildpex.target import Target

pytestmark = pytest.mark.packing

# Threads, reactors and prompts of what is imported end with the process.
PROGRAM = """\
import importlib, json, os, sys, warnings

warnings.simplefilter("ignore")
results = sys.stdout
sys.stdout = sys.stderr
said = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
        said[name] = "ok"
    except BaseException as error:
        said[name] = f"{type(error).__name__}: {error}"
json.dump(said, results)
results.flush()
os._exit(0)
"""


def _venv(folder: Path, wheels: Sequence[Path]) -> Path:
    """A virtual environment with the wheels, installed by uv; its Python."""
    uv = [str(Path(sys.executable).with_name("uv"))]
    python = folder / "bin" / "python"
    for words in (
        ["venv", "-q", "--no-config", "--python", sys.executable, str(folder)],
        [
            *("pip", "install", "-q", "--no-config", "--no-deps", "--no-index", "--no-cache"),
            *("--link-mode=copy", "--python", str(python), *map(str, wheels)),
        ],
    ):
        subprocess.run([*uv, *words], check=True, capture_output=True)
    return python


def _imported(python: Path, modules: Sequence[str], cwd: Path) -> Mapping[str, str]:
    done = subprocess.run(
        [str(python), "-I", "-c", PROGRAM],
        input=json.dumps(modules),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    said: Mapping[str, str] = json.loads(done.stdout)
    return {name: text.replace(str(python.parents[1]), "VENV") for name, text in said.items()}


def _modules(wheels: Sequence[Path]) -> list[str]:
    found = set()
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
                if name.endswith(".py") and ".data/" not in name:
                    found.add(module)
    return sorted(name for name in found if not name.endswith("__main__"))


def test_every_module_that_is_left_imports_as_before(wheels: Path, tmp_path: Path) -> None:
    """In real environments of the whole lock: the same successes, and the same failures."""
    target = Target.running()
    pins = wheelhouse.applicable(lock.read(ROOT / "requirements.txt"), target, "requirements.txt")
    whole, thin = tmp_path / "whole", tmp_path / "thin"
    whole.mkdir()
    thin.mkdir()
    checked = [wheel.path for wheel in wheelhouse.fill(pins, wheels, target, whole)]
    slimmed = slim.wheels(checked, thin, deadweight.read())
    assert sum(one.files for one in slimmed) > 400
    assert sum(one.size for one in slimmed) > 7_000_000

    modules = _modules([one.path for one in slimmed])
    before = _imported(_venv(tmp_path / "before", checked), modules, tmp_path)
    python = _venv(tmp_path / "after", [one.path for one in slimmed])
    after = _imported(python, modules, tmp_path)
    assert after == before
    assert sum(text == "ok" for text in after.values()) > 600

    checked_by = [str(Path(sys.executable).with_name("uv")), "pip", "check", "--python"]
    subprocess.run([*checked_by, str(python)], check=True, capture_output=True)
