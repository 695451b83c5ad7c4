"""luggage.buildpex.boot: nothing of the wheelhouse runs before it is checked."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from luggage.buildpex import boot, lock
from luggage.buildpex.lock import Pin
from luggage.buildpex.pack import TOOLS
from luggage.errors import LuggageError

ROOT = Path(__file__).parents[2]


def wheel(folder: Path, name: str, module: str = "tool") -> str:
    with zipfile.ZipFile(folder / name, "w") as archive:
        archive.writestr(f"{module}.py", f"# {name}\n")
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


def test_a_checked_wheel_is_unpacked(tmp_path: Path, wheels: Path) -> None:
    """The wheel of the lock, and no other version or project."""
    digest = wheel(wheels, "tool-1.0-py3-none-any.whl")
    wheel(wheels, "tool-2.0-py3-none-any.whl", "newer")
    wheel(wheels, "other-1.0-py3-none-any.whl", "other")
    boot.unpack([Pin("tool", "1.0", None, frozenset({digest}), 1)], wheels, tmp_path / "into")
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["tool.py"]


def test_of_two_checked_wheels_the_one_for_this_python_is_unpacked(
    tmp_path: Path, wheels: Path
) -> None:
    """A tool may have a wheel for some Pythons and another for the rest."""
    here = f"py3{sys.version_info.minor}"
    hashes = {
        wheel(wheels, "tool-1.0-py2.py35-none-any.whl", "old"),
        wheel(wheels, f"tool-1.0-py36.{here}-none-any.whl", "here"),
    }
    boot.unpack([Pin("tool", "1.0", None, frozenset(hashes), 1)], wheels, tmp_path / "into")
    assert [path.name for path in (tmp_path / "into").iterdir()] == ["here.py"]


def test_altered_and_missing_tools_are_told_at_once(tmp_path: Path, wheels: Path) -> None:
    """Nothing of an altered tool is unpacked; a pin with a marker may be for another Python."""
    wheel(wheels, "tool-1.0-py3-none-any.whl")
    pins = [
        Pin("missing", "1.0", None, frozenset({"0" * 64}), 1),
        Pin("tomli", "1.0", "python_version < '3.11'", frozenset({"0" * 64}), 2),
        Pin("tool", "1.0", None, frozenset({"0" * 64}), 3),
    ]
    with pytest.raises(LuggageError) as caught:
        boot.unpack(pins, wheels, tmp_path / "into")
    assert caught.value.message.splitlines() == [
        f"tool missing==1.0: no wheel of it in '{wheels}'",
        "tool tool==1.0: tool-1.0-py3-none-any.whl: not the hash of tools.txt",
    ]
    assert not (tmp_path / "into").exists()


def test_it_starts_with_the_standard_library_alone(tmp_path: Path, wheels: Path) -> None:
    """With no site-packages at all it gets as far as saying which tools are missing."""
    done = subprocess.run(
        [
            *(sys.executable, "-S", "-m", "luggage.buildpex.boot"),
            *("--wheels", str(wheels), "--package", "example_deploy", "--", "mkpex"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: tool pex==" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_deployment_says_of_packing_needs_nothing_that_runs() -> None:
    """The builder has neither PyNaCl nor Twisted: importing `mkpex` does not ask for them."""
    code = (
        "import sys, example_deploy.mkpex;"
        "print(sorted({'nacl', 'twisted', 'environ', 'flask', 'ncolony', 'gunicorn', 'pex',"
        " 'example_deploy.config', 'luggage.crypto', 'luggage.configfile'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def _boot(wheels: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "luggage.buildpex.boot",
            "--wheels",
            str(wheels),
            "--package",
            "x",
            "y",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _first_tool() -> str:
    first = lock.read(TOOLS)[0]
    return f"{first.name}-{first.version}-py3-none-any.whl"


def test_what_the_system_refuses_is_one_line(wheels: Path) -> None:
    """A wheel that cannot be read, or a full disk, is told with the file."""
    path = wheels / _first_tool()
    path.mkdir()
    with _boot(wheels) as process:
        assert process.communicate() == ("", f"error: {path}: Is a directory\n")
    assert process.returncode == 1


def test_interrupted_while_it_unpacks_it_ends_without_a_word(wheels: Path) -> None:
    """Status 130, and no traceback."""
    path = wheels / _first_tool()
    os.mkfifo(path)
    with _boot(wheels) as process:
        writer = path.open("wb")  # once the other side reads
        process.send_signal(signal.SIGTERM)
        assert process.communicate() == ("", "")
        writer.close()
    assert process.returncode == 130
