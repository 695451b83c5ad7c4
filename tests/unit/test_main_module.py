"""`python -m luggage`: the deployment that an artifact's manifest names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from luggage import proof

ROOT = Path(__file__).resolve().parents[2]
GREET = '''"""Say hello."""
MAIN_OK = True
def main(argv):
    print("hello", argv)
    return 3
'''
MANIFEST = proof.Manifest(
    project="shop",
    commit=None,
    dirty=True,
    entry="shop_deploy",
    python="3.13.5",
    platform="linux-x86_64",
    lock="0" * 64,
    tools={},
    wheels=(),
    files={},
    sealed={},
    serial=None,
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The packages of an artifact, and its manifest beside them."""
    shutil.copytree(ROOT / "luggage", tmp_path / "luggage")
    (tmp_path / "shop_deploy").mkdir()
    (tmp_path / "shop_deploy" / "__init__.py").write_text("")
    (tmp_path / "shop_deploy" / "greet.py").write_text(GREET)
    (tmp_path / "luggage-manifest.json").write_bytes(proof.dump(MANIFEST))
    return tmp_path


def run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "luggage", *words]
    return subprocess.run(argv, cwd=place, check=False, capture_output=True, text=True)


def test_it_runs_the_deployment_of_the_manifest(place: Path) -> None:
    """Words and status as with `python -m shop_deploy`."""
    done = run(place, "greet", "a")
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello ['greet', 'a']\n", "")
    usage = f"usage: {sys.executable} -I -m luggage COMMAND"
    assert run(place).stdout.startswith(usage), "as it is typed here"


def test_without_a_manifest_it_is_no_artifact(place: Path) -> None:
    """One line, and what to type in a checkout instead."""
    (place / "luggage-manifest.json").unlink()
    done = run(place, "greet")
    assert done.returncode == 1
    assert "there is none, so this is no artifact\nhint: in a checkout: python -m " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_manifest_is_read_by_its_grammar(place: Path) -> None:
    """One that breaks it is refused, not guessed at."""
    path = place / "luggage-manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"shop_deploy"', b'"os; evil"'))
    done = run(place, "greet")
    assert done.returncode == 1
    assert done.stderr == "error: manifest: not as docs/format.md says: entry\n"


def test_a_command_runs_with_its_garbage_collected(place: Path) -> None:
    """It is not while modules are imported, which is quicker so."""
    collects = "import gc\nHERE = gc.isenabled()\n"
    source = GREET.replace('print("hello", argv)', "print(HERE, gc.isenabled())")
    (place / "shop_deploy" / "greet.py").write_text(source.replace("MAIN_OK", f"{collects}MAIN_OK"))
    assert run(place, "greet").stdout == "False True\n"
