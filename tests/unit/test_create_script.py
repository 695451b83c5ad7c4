"""`./create` as far as it needs no engine: its words, its refusals; any `sh` can read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `create` reads of a checkout, without git."""
    folder = tmp_path / "a project"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("luggage", "example_app", "example_deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("create", "build.docker", "run.docker", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _create(
    project: Path, *words: str, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(project.parent), **variables}
    return subprocess.run(
        [project / "create", *words],
        cwd=cwd or project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_has_examples(project: Path) -> None:
    """--help tells the options, the variables and examples on stdout, and makes nothing."""
    done = _create(project, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("--refresh", "ENGINE=podman ./create", "BASE", "examples:"):
        assert word in done.stdout
    assert not (project / "build").exists()


def test_unknown_option_is_refused(project: Path) -> None:
    """A word that means nothing is an error that names it, with status 2."""
    done = _create(project, "--refesh")
    assert done.returncode == 2
    assert done.stderr == "error: --refesh: there is no such option\nhint: ./create --help\n"


def test_unknown_engine_is_refused(project: Path, tmp_path: Path) -> None:
    """An engine that is none of the three is an error, from any folder, and nothing is left."""
    done = _create(project, cwd=tmp_path, ENGINE="lxc")
    assert done.returncode == 2
    assert done.stderr == (
        "error: ENGINE=lxc: there is no such engine\nhint: one of docker, podman, none\n"
    )
    assert list((project / "build").iterdir()) == []


def test_engine_that_is_not_installed_is_named(project: Path, tmp_path: Path) -> None:
    """ENGINE=podman without podman is an error that says so; nothing else is tried."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "find", "mktemp", "mkdir", "rm", "basename", "dirname", "tr", "grep",
                 "tail", "sha256sum"):  # fmt: skip
        (tools / name).symlink_to(str(shutil.which(name)))
    done = _create(project, ENGINE="podman", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ENGINE=podman does not work: podman: not found\n")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_venv_names_the_package(project: Path, tmp_path: Path, module: str) -> None:
    """A Python without venv or ensurepip, as Debian's is at first: one line names the package."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    (hiding / f"{module}.py").write_text("raise ImportError\n")
    done = _create(project, ENGINE="none", PYTHON=sys.executable, PYTHONPATH=str(hiding))
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {sys.executable}: its venv is missing\nhint: apt-get install python3-venv\n"
    )
    assert list((project / "build").iterdir()) == []


def test_missing_python_is_named(project: Path) -> None:
    """A Python that is not there is an error that names it."""
    done = _create(project, ENGINE="none", PYTHON="python9.9")
    assert done.returncode == 1
    assert done.stderr.startswith("error: python9.9: does not start\n")


def test_key_file_is_refused_without_git_as_well(project: Path) -> None:
    """Where no git says what belongs to the tree, a private key still stops the packing."""
    (project / "example_deploy" / "prod.key").write_text("anything\n")
    done = _create(project, ENGINE="none")
    assert done.returncode == 1
    assert "error: example_deploy/prod.key: a private key is never packed" in done.stderr


def test_any_shell_can_read_it() -> None:
    """dash parses it, and shellcheck has nothing to say."""
    subprocess.run(["dash", "-n", ROOT / "create"], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("left out: shellcheck is not installed")
    subprocess.run(["shellcheck", ROOT / "create"], check=True)
