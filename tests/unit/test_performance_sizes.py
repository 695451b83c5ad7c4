"""The benchmark's reading of images and locks."""

from __future__ import annotations

import gzip
import importlib
import io
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from luggage.buildpex import lock

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("docker", "saved", "subjects")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """benchmarks/pack's modules; their names are free again afterwards."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "pack"))
    yield {name: importlib.import_module(name) for name in NAMES}
    for name in NAMES:
        del sys.modules[name]


def test_a_layer_is_as_large_as_its_files_and_as_gzip_makes_it(
    modules: dict[str, ModuleType], tmp_path: Path
) -> None:
    """A hard link takes no room; compressed, it is what `gzip -6` writes."""
    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo("a")
        member.size = 5_000_000
        tar.addfile(member, io.BytesIO(bytes(range(250)) * 20_000))
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        tar.addfile(link)
    with path.open("rb") as once, path.open("rb") as again:
        layer = modules["saved"].layer("sha256:1", once, again)
    assert layer.files == 5_000_000
    assert layer.compressed == len(gzip.compress(path.read_bytes(), 6))


def test_a_push_is_what_the_image_before_lacks(modules: dict[str, ModuleType]) -> None:
    """Layers are known by their diff-ids, wherever they stand; the configuration always goes."""
    saved = modules["saved"]
    same, old, new = (saved.Layer(it, 1, size) for it, size in zip("son", (50, 7, 9), strict=True))
    before, after = saved.Image((same, old), 100), saved.Image((new, same), 110)
    assert after.pushes(before) == 119
    assert after.pushes(after) == 110


def test_the_peers_lock_is_the_part_of_the_projects_that_the_app_needs(
    modules: dict[str, ModuleType],
) -> None:
    """Versions and hashes are those of requirements.txt; a name that it lacks is an error."""
    subjects = modules["subjects"]
    whole = (ROOT / "requirements.txt").read_text()
    part = lock.parse(subjects.of_lock(whole, subjects.OF_THE_APP), "part")
    known = {pin.name: pin for pin in lock.parse(whole, "requirements.txt")}
    assert {pin.name for pin in part} == subjects.OF_THE_APP
    assert all(known[pin.name] == replace(pin, line=known[pin.name].line) for pin in part)
    with pytest.raises(SystemExit, match="no line for nothing"):
        subjects.of_lock(whole, {"flask", "nothing"})


def test_only_volumes_that_begin_so_are_the_benchmarks_own(
    modules: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's, with the same words inside its name, is never removed."""
    engine = tmp_path / "engine"
    # As docker answers: a filter of the name finds both.
    engine.write_text('#!/bin/sh\n[ "$1 $2" = "volume ls" ] && printf "%s\\n" bench-a my-bench-b\n')
    engine.chmod(0o755)
    monkeypatch.setattr(modules["docker"], "ENGINE", str(engine))
    assert modules["docker"].volumes("bench-") == ["bench-a"]
