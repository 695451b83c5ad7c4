"""What is spliced is what pex writes."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from packed import Checkout, Pex, digests

from luggage.buildpex import base, lock, pex, splice, upper
from luggage.buildpex.pack import TOOLS, Pack
from luggage.buildpex.sources import Source, stage
from luggage.buildpex.target import Target
from luggage.buildpex.wheelhouse import Wheel
from luggage.proof import manifest, seal

pytestmark = pytest.mark.packing
MAIN = Source("app/__main__.py", b"import sys, six, app.more\nprint(six.__name__, sys.argv[1:])\n")
FEW = (Source("app/__init__.py", b""), MAIN, Source("app/more.py", b""))
NOISE = random.Random(7).randbytes(300_000)
MANY = (
    *FEW,
    Source("app/data/noise.bin", NOISE),
    Source("app/data/text.txt", NOISE[:9000].hex().encode() * 20),
    Source("app/data/.hidden", b"not hashed by pex"),
    Source("app/.folder/seen", b"hashed by pex"),
    Source("app/data.py", b"# its place is before the folder of that name\n"),
    Source("app/größe/日本.txt", b"gemessen\n"),
    Source("app/static/deep/er/style.css", b"body {}\n"),
    Source("apple.py", b"APPLE = 1\n"),
    Source("luggage-manifest.json", b"{}\n"),
)


class Packer:
    """pex itself, with one small wheel, started as `base` and `upper` start it."""

    def __init__(self, wheels: Path, work: Path) -> None:
        self.work = work
        (found,) = wheels.glob("six-*.whl")
        (work / "wheels").mkdir()
        path = work / "wheels" / found.name
        shutil.copyfile(found, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.wheel = Wheel("six", found.name.split("-")[1], path, digest)
        self.shop = pex.Workshop.at(work / "shop", work / "root", os.environ)
        self.count = 0

    def __call__(self, sources: Sequence[Source] = (), entry: str | None = None) -> bytes:
        self.count += 1
        output, staged = self.work / f"{self.count}.pex", self.work / f"{self.count}"
        staged.mkdir()
        stage(sources, staged)
        words = pex.building(
            [self.wheel],
            output,
            Target.running(),
            staged=staged if sources else None,
            entry=entry,
        )
        subprocess.run(words, env=self.shop.environ, cwd=self.work, check=True)
        return output.read_bytes()

    def base(self, folder: Path) -> base.Base:
        """A base of the wheel, as it is found when it was kept."""
        (folder / "wheels").mkdir(parents=True)
        shutil.copy(self.wheel.path, folder / "wheels")
        (folder / seal.PEX_SBOM).write_bytes(b"{}\n")
        (folder / "alone.pex").write_bytes(self())
        splice.keep(folder / "alone.pex", folder / splice.FILE)
        it = self.wheel
        wheel = manifest.Wheel(it.name, it.version, it.path.name, it.sha256)
        return base.Base(folder, fresh=False, wheels=(wheel,), layers=(), debian={}, sbom={})


@pytest.fixture(scope="module")
def packer(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Packer:
    """One for the module: its cache is warm after the first."""
    return Packer(wheels, tmp_path_factory.mktemp("packer"))


@pytest.fixture(scope="module")
def kept(packer: Packer) -> bytes:
    """The pex of the wheel alone."""
    return packer()


def made(below: base.Base, work: Path) -> bytes:
    """The pex of FEW upon this base."""
    for folder in (work, work / "out"):
        folder.mkdir()
    pack = Pack("app", "app", ("app",))
    above = upper.Upper(pack, Target.running(), below, FEW, b"{}\n")
    path, layers = above.make(None, work, work / "out", work / "cache", os.environ)
    assert layers == ()
    return path.read_bytes()


def whole(packer: Packer) -> bytes:
    """What pex makes of the same."""
    beside = (Source(manifest.FILE, b"{}\n"), Source(seal.PEX_SBOM, b"{}\n"))
    return packer([*FEW, *beside], "app")


def test_the_locked_pex_is_the_one_that_is_compared_here() -> None:
    """A new pex in the lock packs alone until the tests below have passed with it in PROVED."""
    (found,) = (pin.version for pin in lock.read(TOOLS) if pin.name == "pex")
    assert found == splice.PROVED


def test_without_sources_it_is_what_was_kept(kept: bytes) -> None:
    """A pex that is taken apart and put together is as it was."""
    assert splice.spliced(kept, (), None) == kept


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param(FEW[:1], id="one empty file"),
        pytest.param(FEW, id="few"),
        pytest.param(MANY, id="many"),
        pytest.param(MANY[::-1], id="many, in another order"),
        *(pytest.param((*FEW, it), id=ascii(it.path)) for it in MANY[len(FEW) :]),
    ],
)
def test_the_bytes_are_those_of_pex(packer: Packer, kept: bytes, sources: Sequence[Source]) -> None:
    """Folders, empty, large, hidden and non-ASCII files, in any order: what pex would write."""
    assert splice.spliced(kept, sources, "app") == packer(sources, "app")


def test_it_runs(kept: bytes, tmp_path: Path) -> None:
    """What was spliced unpacks itself and starts, with its wheel and its sources."""
    (tmp_path / "kept").write_bytes(kept)
    path = tmp_path / "app.pex"
    assert splice.write(tmp_path / "kept", MANY, "app", path)
    path.chmod(0o755)
    for _ in ("unpacked", "there already"):
        done = Pex(path, tmp_path / "root")("with", "words")
        assert (done.stdout, done.stderr, done.returncode) == ("six ['with', 'words']\n", "", 0)


@pytest.mark.parametrize(
    "path",
    [
        *(".hidden", "App/__init__.py", "PEX-INFO", "__main__.py", "__pex__/more.py"),
        *("app/old.pyc", "app/old.pyo", "app/__pycache__/a.py", "app/a.pyc.123"),
    ],
)
def test_a_name_with_another_place_is_left_to_pex(kept: bytes, path: str) -> None:
    """What would lie among the kept entries, or what pex leaves out, is not spliced."""
    assert splice.spliced(kept, [*FEW, Source(path, b"")], "app") is None


@pytest.mark.parametrize("by", ["version", "order", "end", "entry", "nothing"])
def test_another_file_than_proved_is_left_to_pex(packer: Packer, kept: bytes, by: str) -> None:
    """Another version's, one with sources or an entry point, half of one: None, and no error."""
    other = {
        "version": lambda: _stored(kept, splice.PROVED, "2.105.3"),
        "order": lambda: packer(FEW),
        "end": lambda: kept[:-1000],
        "entry": lambda: packer((), "app"),
        "nothing": lambda: b"",
    }[by]()
    assert other != kept
    assert splice.spliced(other, FEW, "app") is None


def _stored(kept: bytes, version: str, other: str) -> bytes:
    """The same pex, but another version's by its PEX-INFO."""
    data = io.BytesIO(kept)
    with zipfile.ZipFile(io.BytesIO(kept)) as old, zipfile.ZipFile(data, "w") as new:
        for it in old.infolist():
            text = old.read(it)
            if it.filename == "PEX-INFO":
                assert version.encode() in text
                text = text.replace(version.encode(), other.encode())
            new.writestr(it, text)
    return data.getvalue()


def test_upon_a_kept_base_no_wheel_is_read(packer: Packer, tmp_path: Path) -> None:
    """A kept base gives the bytes of pex without pex, which would leave the wheel out."""
    below = packer.base(tmp_path / "base")
    shutil.rmtree(tmp_path / "base/wheels")
    assert made(below, tmp_path / "spliced") == whole(packer)
    assert made(replace(below, fresh=True), tmp_path / "fresh") != whole(packer)


def test_upon_a_fresh_base_pex_itself_packs(packer: Packer, tmp_path: Path) -> None:
    """`create --check` packs from nothing, and so compares what was spliced with pex."""
    below = replace(packer.base(tmp_path / "base"), fresh=True)
    assert made(below, tmp_path / "whole") == whole(packer)


def test_what_cannot_be_spliced_pex_packs(packer: Packer, tmp_path: Path) -> None:
    """Of a pex that is put together otherwise nothing is kept, and pex packs as ever."""
    below = packer.base(tmp_path / "base")
    (tmp_path / "other.pex").write_bytes(packer(FEW))
    splice.keep(tmp_path / "other.pex", tmp_path / "base" / splice.FILE)
    assert (tmp_path / "base" / splice.FILE).read_bytes() == b""
    assert made(below, tmp_path / "whole") == whole(packer)


def test_the_example_is_the_same_from_a_kept_base_and_from_nothing(
    project: Checkout, tmp_path: Path
) -> None:
    """Sources added and changed, of every kind: all files of the artifact agree."""
    cache = tmp_path / "cache"
    assert project.mkpex(tmp_path / "first", "--cache", str(cache)).returncode == 0
    (kept,) = cache.glob("base-*")
    assert (kept / splice.FILE).stat().st_size > 1_000_000
    for it in MANY[len(FEW) :]:
        if it.path.startswith("app/"):
            path = project.root / it.path.replace("app/", "example_app/", 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(it.data)
    (project.root / "example_app/run").write_text("#!/bin/sh\n")
    (project.root / "example_app/run").chmod(0o755)
    project.git("add", "--force", ".")
    project.git("commit", "-q", "-m", "more")
    again = project.mkpex(tmp_path / "kept", "--cache", str(cache))
    assert again.returncode == 0, again.stderr
    nothing = project.mkpex(tmp_path / "nothing", "--cache", str(tmp_path / "empty"))
    assert nothing.returncode == 0, nothing.stderr
    assert digests(tmp_path / "kept") == digests(tmp_path / "nothing")
    assert digests(tmp_path / "kept") != digests(tmp_path / "first")
    done = Pex(tmp_path / "kept/example.pex", tmp_path / "root")("--help")
    assert done.returncode == 0, done.stderr
    assert "\n  start " in done.stdout
