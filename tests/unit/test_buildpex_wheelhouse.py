"""luggage.buildpex.wheelhouse: only what the lock names, and only for this Python."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from luggage.buildpex import wheelhouse
from luggage.buildpex.lock import Pin
from luggage.buildpex.target import Target
from luggage.errors import LuggageError

HERE = Target.running()
MAJOR, MINOR, _ = HERE.version.split(".")
TAG = f"cp{MAJOR}{MINOR}"
PLATFORM = next(tag.platform for tag in HERE.tags if tag.platform.startswith("manylinux"))


def wheel(folder: Path, name: str, content: str = "") -> str:
    """A file that is a zip of that name; returns its SHA-256."""
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr("module.py", content)
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


def pin(name: str, *hashes: str, marker: str | None = None, line: int = 1) -> Pin:
    return Pin(name, "1.0", marker, frozenset(hashes), line)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into"


def test_only_locked_wheels_are_copied(wheels: Path, into: Path) -> None:
    """Of a folder full of wheels, those of the lock are taken and nothing else."""
    digest = wheel(wheels, "one-1.0-py3-none-any.whl")
    wheel(wheels, "one-2.0-py3-none-any.whl")
    wheel(wheels, "evil-1.0-py3-none-any.whl")
    (wheels / "note.txt").write_text("x")
    (taken,) = wheelhouse.fill([pin("one", digest)], wheels, HERE, into)
    assert taken == wheelhouse.Wheel("one", "1.0", into / "one-1.0-py3-none-any.whl", digest)
    assert [path.name for path in into.iterdir()] == ["one-1.0-py3-none-any.whl"]


def test_the_wheel_that_fits_best_is_taken(wheels: Path, into: Path) -> None:
    """A wheel for this very Python goes before one for any."""
    any_python = wheel(wheels, "one-1.0-py3-none-any.whl")
    this_python = wheel(wheels, f"one-1.0-{TAG}-{TAG}-{PLATFORM}.whl")
    (taken,) = wheelhouse.fill([pin("one", any_python, this_python)], wheels, HERE, into)
    assert taken.sha256 == this_python


def test_names_are_compared_as_normalised(wheels: Path, into: Path) -> None:
    """A wheel's file name may spell the project with an underscore or a dot."""
    digest = wheel(wheels, "zope.interface-1.0-py3-none-any.whl")
    (taken,) = wheelhouse.fill([pin("zope-interface", digest)], wheels, HERE, into)
    assert taken.name == "zope-interface"


def test_everything_wrong_is_told_at_once(wheels: Path, into: Path) -> None:
    """Missing, altered, only an sdist, another Python: one error names them all."""
    altered = wheel(wheels, "altered-1.0-py3-none-any.whl")
    (wheels / "built-1.0.tar.gz").write_bytes(b"x")
    wheel(wheels, "foreign-1.0-cp27-cp27m-win32.whl")
    pins = [pin(name, "0" * 64) for name in ("altered", "built", "foreign", "missing")]
    with pytest.raises(LuggageError) as caught:
        wheelhouse.fill(pins, wheels, HERE, into)
    assert caught.value.message.splitlines() == [
        f"altered==1.0: altered-1.0-py3-none-any.whl has SHA-256 {altered}, "
        "which the lock does not list",
        "built==1.0: only a source distribution, built-1.0.tar.gz: nothing is built while packing",
        f"foreign==1.0: no wheel for {HERE}, only foreign-1.0-cp27-cp27m-win32.whl",
        "missing==1.0: no wheel of it in the wheelhouse",
    ]
    assert "docs/packing.md" in (caught.value.hint or "")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """No wheelhouse at all is an error of its own."""
    with pytest.raises(LuggageError, match="not a folder"):
        wheelhouse.fill([], tmp_path / "none", HERE, tmp_path)


def test_markers_choose_the_line_for_this_python() -> None:
    """Of two pins of a name, the one whose marker holds here is taken; others stay out."""
    version = f"{MAJOR}.{MINOR}"
    here = pin("gather", marker=f"python_version == '{version}'", line=5)
    other = pin("gather", marker=f"python_version != '{version}'", line=9)
    windows = pin("colorama", marker="sys_platform == 'win32'")
    assert wheelhouse.applicable([other, here, windows], HERE, "lock.txt") == (here,)


def test_two_pins_for_one_python_are_refused() -> None:
    """A name that is pinned twice for this Python, and a marker that is none, are both told."""
    pins = [pin("a", line=1), pin("a", line=2), pin("b", marker="nonsense", line=3)]
    with pytest.raises(LuggageError) as caught:
        wheelhouse.applicable(pins, HERE, "lock.txt")
    first, second = caught.value.message.splitlines()
    assert first.startswith("lock.txt:2: a==1.0: line 1 pins it too")
    assert second == "lock.txt:3: b==1.0: not a marker: 'nonsense'"


def test_what_luggage_itself_runs_on_must_be_there() -> None:
    """A lock of the app's needs alone makes an image that cannot start: all are named at once."""
    with pytest.raises(LuggageError) as caught:
        wheelhouse.suffice([pin("flask"), pin("pynacl"), pin("gunicorn")], "requirements.txt")
    assert caught.value.message == (
        "requirements.txt: luggage itself runs on environ-config, mainland, ncolony, "
        "prometheus-client, twisted, and no line for this Python pins them"
    )
    assert caught.value.hint == (
        "add to requirements.in: environ-config mainland ncolony prometheus-client twisted\n"
        "then: python -m deploy lock"
    )


def test_the_list_is_that_of_the_library() -> None:
    """setup.py asks for the same distributions."""
    setup = (Path(__file__).parents[2] / "setup.py").read_text()
    stated = setup[setup.index("install_requires=[") : setup.index("extras_require")]
    assert re.findall(r'"([a-z-]+)[>=]', stated) == list(wheelhouse.RUNS_ON)


def test_of_several_folders_the_first_counts(tmp_path: Path, wheels: Path, into: Path) -> None:
    """A wheel of one's own goes before the cache's of the same name; what else is needed is taken
    from any.
    """
    own = tmp_path / "own"
    own.mkdir()
    mine = wheel(own, "one-1.0-py3-none-any.whl", "mine")
    theirs = wheel(wheels, "one-1.0-py3-none-any.whl", "theirs")
    two = wheel(wheels, "two-1.0-py3-none-any.whl")
    taken = wheelhouse.fill([pin("one", mine, theirs), pin("two", two)], [own, wheels], HERE, into)
    assert [it.sha256 for it in taken] == [mine, two]
    with pytest.raises(LuggageError, match="none': not a folder"):
        wheelhouse.fill([], [wheels, tmp_path / "none"], HERE, into)
