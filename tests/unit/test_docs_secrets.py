"""docs/secrets.md: its tutorial is run as it is typed, its Python as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from source_examples import MountedSecrets

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/secrets.md").read_text()
TUTORIAL = PAGE.split("\n## How to")[0]


def transcript() -> list[tuple[str, list[str]]]:
    """Each command of the tutorial, with the lines that it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def test_the_tutorial_is_true(tmp_path: Path) -> None:
    """Typed in a clone, every command succeeds and prints on stdout what the page shows."""
    clone = tmp_path / "luggage"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    shutil.copytree(ROOT / "luggage", clone / "luggage", dirs_exist_ok=True)
    shutil.copytree(ROOT / "example_deploy", clone / "example_deploy", dirs_exist_ok=True)
    bin_folder = str(Path(sys.executable).parent)
    environ = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    commands = transcript()
    assert len(commands) == 6
    for command, told in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=clone,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        printed = done.stdout.splitlines()
        if " secrets" in command:
            printed = [re.sub(r"\s+", " ", line) for line in printed]
            assert [line.split()[:3] for line in told] == [line.split()[:3] for line in printed]
        elif " keygen" in command:
            assert [Path(line).name for line in printed] == told
        else:
            assert printed == told


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(2))
def test_the_python_runs(number: int, tmp_path: Path) -> None:
    """The page's Python is whole: each block runs by itself."""
    assert len(blocks("python")) == 2
    path = tmp_path / "block.py"
    path.write_text(blocks("python")[number])
    subprocess.run([sys.executable, path], env={"PYTHONPATH": str(ROOT)}, check=True)


def test_the_source_of_ones_own_is_the_tested_one() -> None:
    """The class on the page is the one that tests/unit/test_source.py tests."""
    source = (ROOT / "tests/unit/source_examples.py").read_text()
    shown = blocks("python")[1]
    shown = shown[shown.index(f"class {MountedSecrets.__name__}") :].rstrip()
    assert shown in source
