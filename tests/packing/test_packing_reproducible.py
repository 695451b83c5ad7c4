"""Same inputs, same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packed import Checkout, checkout, debian, digests

from example_deploy.mkpex import PACK
from luggage.buildpex import Pack
from luggage.buildpex import artifact as packing
from luggage.buildpex.base import Root
from luggage.buildpex.git import Git

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


def make_layers(
    checkout: Checkout,
    work: Path,
    home: Path,
    umask: int = 0o022,
    cache: Path | None = None,
    pack: Pack = PACK,
) -> dict[str, str]:
    """Pack the checkout with the layers of an image whose environment lies at `home`."""
    work.mkdir()
    before = os.umask(umask)
    try:
        packing.build(
            pack,
            packing.Origin(Git.of(checkout.root, os.environ).files(), "1" * 40, dirty=False),
            packing.Places(
                root=checkout.root,
                wheels=[checkout.wheels],
                cache=cache or work / "cache",
                output=work / "out",
                signed=work,
            ),
            image=Root(debian(work / "debian.tar"), home),
            environ=os.environ,
            tell=print,
        )
    finally:
        os.umask(before)
    assert not home.exists()
    return digests(work / "out")


@pytest.fixture(scope="module")
def first(pristine: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an artifact and its layers, made at `first`/app."""
    base = tmp_path_factory.mktemp("layers")
    make_layers(pristine, base / "work", base / "app")
    return base


def test_layers_are_the_same_wherever_they_are_made(
    first: Path, pristine: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another working folder, umask, time zone and cache: the same bytes of all that is made."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    again = make_layers(pristine, tmp_path / "another, longer", first / "app", umask=0o077)
    assert again == digests(first / "work/out")
    assert set(again) == {
        *("example.pex", "manifest.json", "seal.json", "sbom.cdx.json"),
        *("root.tar", "deps.tar", "luggage.tar", "app.tar", "seal.tar"),
    }


def test_a_changed_source_changes_the_small_layers_alone(
    first: Path, project: Checkout, tmp_path: Path
) -> None:
    """Each layer is reused where what it is made of has not changed."""
    cache = first / "work/cache"
    kept = sorted(path.name for path in cache.iterdir())
    (project.root / "example_app/new.py").write_text("NEW = 1\n")
    changed = make_layers(project, tmp_path / "work", first / "app", cache=cache)
    before = digests(first / "work/out")
    small = {"example.pex", "manifest.json", "seal.json", "app.tar", "seal.tar"}
    assert {name for name in before if changed[name] != before[name]} == small
    assert sorted(path.name for path in cache.iterdir()) == kept
    (project.root / "luggage/new.py").write_text("NEW = 1\n")
    changed = make_layers(project, tmp_path / "again", first / "app", cache=cache)
    assert {n for n in before if changed[n] != before[n]} == {*small, "luggage.tar"}


def test_a_damaged_cache_is_made_anew(first: Path, pristine: Checkout, tmp_path: Path) -> None:
    """A kept layer that is not what was noted, or lost its note, does not come out."""
    cache = tmp_path / "cache"
    shutil.copytree(first / "work/cache", cache, symlinks=True)
    (base,) = cache.glob("base-*")
    data = bytearray((base / "deps.tar").read_bytes())
    data[len(data) // 2] ^= 1
    (base / "deps.tar").write_bytes(data)
    for part in cache.glob("luggage-*"):
        (part / "SUMS.json").unlink()
    again = make_layers(pristine, tmp_path / "work", first / "app", cache=cache)
    assert again == digests(first / "work/out")


def test_the_pex_is_in_the_image_where_it_is_asked_for(
    first: Path, pristine: Checkout, tmp_path: Path
) -> None:
    """As it was sealed, in the layer of the app and in its listing; else in none."""
    for path in (first / "work/out").glob("*.tar"):
        with tarfile.open(path) as tar:
            assert "app/example.pex" not in tar.getnames()
    asked = replace(PACK, pex_in_image=True)
    cache = first / "work/cache"
    made = make_layers(pristine, tmp_path / "work", first / "app", cache=cache, pack=asked)
    assert made["example.pex"] == digests(first / "work/out")["example.pex"]
    with tarfile.open(tmp_path / "work/out/app.tar") as tar:
        member = tar.getmember("app/example.pex")
        file, listing = tar.extractfile(member), tar.extractfile("app/seal/app.mtree")
        assert file is not None and listing is not None
        assert hashlib.sha256(file.read()).hexdigest() == made["example.pex"]
        assert f"./app/example.pex type=file mode=0755 uid=0 gid=0 size={member.size} " in (
            listing.read().decode()
        )


def test_with_keep_all_every_wheel_is_packed_whole(
    first: Path, pristine: Checkout, tmp_path: Path
) -> None:
    """One switch: test suites and all else are in the image and in the pex."""
    whole = replace(PACK, keep_all=True)
    make_layers(pristine, tmp_path / "work", first / "app", pack=whole)
    suite = "site-packages/twisted/test/test_log.py"
    for out, there in ((tmp_path / "work/out", True), (first / "work/out", False)):
        with tarfile.open(out / "deps.tar") as tar, zipfile.ZipFile(out / "example.pex") as pex:
            assert any(name.endswith(suite) for name in tar.getnames()) is there
            packed = any(name.endswith("/twisted/test/test_log.py") for name in pex.namelist())
            assert packed is there


def test_unpacked_layers_run(first: Path, tmp_path: Path) -> None:
    """The tars, one over the other, at the path they were made for: an environment that starts."""
    for name in ("deps.tar", "luggage.tar", "app.tar", "seal.tar"):
        with tarfile.open(first / "work/out" / name) as tar:
            assert {member.name.split("/")[0] for member in tar} == {"app"}
            tar.extractall(first, filter="fully_trusted")
    python = first / "app/bin/python"
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*.pyc")}
    assert len(before) > 900
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
    first: Path, pristine: Checkout
) -> None:
    """No path of the checkout, the wheelhouse or the working folder is in any of them."""
    places = [str(place).encode() for place in (pristine.root, pristine.wheels, first / "work")]
    for path in (first / "work/out").iterdir():
        data = path.read_bytes()
        assert not [place for place in places if place in data]
