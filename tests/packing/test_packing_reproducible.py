"""Same inputs, same bytes."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from packed import Checkout, checkout, digests

from luggage.buildpex import layers
from luggage.buildpex.pex import Workshop

pytestmark = pytest.mark.packing


def test_path_umask_zone_clock_and_settings_do_not_show(
    tmp_path: Path, pristine: Checkout, artifact: Path
) -> None:
    """Two checkouts of one commit, packed as differently as can be: the same pex and manifest."""
    other = checkout(tmp_path / "a" / "much deeper" / "place", pristine.wheels, pristine.root)
    for number, path in enumerate(sorted(other.root.rglob("*.py"))):
        os.utime(path, (number, number * 1_000_003))
        path.chmod(0o600 if number % 2 else 0o755)
    other.git("config", "core.fileMode", "false")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".pexrc").write_text("PEX_INHERIT_PATH=fallback\nPEX_PATH=/nowhere\n")
    done = other.mkpex(
        tmp_path / "out",
        umask=0o077,
        environ={
            "TZ": "Pacific/Kiritimati",
            "LC_ALL": "C",
            "HOME": str(home),
            "PEX_ROOT": str(home / "root"),
            "PEX_VERBOSE": "3",
            "PEX_MODULE": "antigravity",
            "TMPDIR": str(home),
            "PYTHONHASHSEED": "7",
            "SOURCE_DATE_EPOCH": "1234567890",
        },
    )
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "out") == digests(artifact)
    assert (tmp_path / "out/example.pex").stat().st_mode & 0o777 == 0o755


def make_layers(work: Path, pex: Path, venv: Path, umask: int = 0o022) -> dict[str, str]:
    work.mkdir()
    before = os.umask(umask)
    try:
        workshop = Workshop.at(work / "workshop", os.environ)
        out = work / "out"
        out.mkdir()
        layers.make(workshop, pex, venv, out / "deps.tar", out / "app.tar")
    finally:
        os.umask(before)
    assert not venv.exists()
    return digests(out)


@pytest.fixture(scope="module")
def first(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the layers of the artifact, made at `first`/app."""
    base = tmp_path_factory.mktemp("layers")
    make_layers(base / "work", artifact / "example.pex", base / "app")
    return base


def test_layers_are_the_same_wherever_they_are_made(
    first: Path, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another working folder, umask and time zone: the same bytes of both layers."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    again = make_layers(
        tmp_path / "another, longer", artifact / "example.pex", first / "app", umask=0o077
    )
    assert again == digests(first / "work/out")


def test_a_changed_source_changes_the_app_layer_alone(
    first: Path, project: Checkout, tmp_path: Path
) -> None:
    """The dependencies' layer is reused by every engine that has it."""
    (project.root / "example_app/new.py").write_text("NEW = 1\n")
    assert project.mkpex(tmp_path / "out").returncode == 0
    changed = make_layers(tmp_path / "work", tmp_path / "out/example.pex", first / "app")
    before = digests(first / "work/out")
    assert changed["deps.tar"] == before["deps.tar"]
    assert changed["app.tar"] != before["app.tar"]


def test_unpacked_layers_run(first: Path, tmp_path: Path) -> None:
    """Both tars, one over the other, at the path they were made for: an environment that starts."""
    for name in ("deps.tar", "app.tar"):
        with tarfile.open(first / "work/out" / name) as tar:
            assert {member.name.split("/")[0] for member in tar} == {"app"}
            tar.extractall(first, filter="fully_trusted")
    python = first / "app/bin/python"
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*.pyc")}
    assert len(before) > 1000
    done = subprocess.run(
        [str(python), "-I", "-m", "example_deploy", "--help"],
        cwd=tmp_path,
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\n  start " in done.stdout
    # No module was compiled again: what is in the layers is current.
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*.pyc")} == before


def test_neither_pex_nor_layers_name_the_place_they_were_made_in(
    first: Path, artifact: Path, pristine: Checkout
) -> None:
    """No path of the checkout, the wheelhouse or the working folder is in any of them."""
    places = [
        str(place).encode() for place in (pristine.root, pristine.wheels, artifact, first / "work")
    ]
    for path in (artifact / "example.pex", *(first / "work/out").iterdir()):
        data = path.read_bytes()
        assert not [place for place in places if place in data]
