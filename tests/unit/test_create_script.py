"""`./create` as far as it needs no engine: its words, its refusals; any `sh` can read it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
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
    """A Python that is not there is an error that names it; one that cannot start is another."""
    done = _create(project, ENGINE="none", PYTHON="python9.9")
    assert done.returncode == 1
    assert done.stderr.startswith("error: python9.9: not found\n")
    done = _create(project, ENGINE="none", PYTHON="false")
    assert done.returncode == 1
    assert done.stderr.startswith("error: false: does not start\n")


def test_key_file_is_refused_without_git_as_well(project: Path) -> None:
    """Where no git says what belongs to the tree, a private key still stops the packing."""
    (project / "example_deploy" / "prod.key").write_text("anything\n")
    done = _create(project, ENGINE="none")
    assert done.returncode == 1
    assert "error: example_deploy/prod.key: a private key is never packed" in done.stderr


@pytest.mark.parametrize("name", ["requirements.txt", "luggage/buildpex/tools.txt"])
def test_missing_lock_is_named(project: Path, name: str) -> None:
    """Without a lock nothing is fetched, and what makes it is told."""
    (project / name).unlink()
    done = _create(project, ENGINE="none")
    assert done.returncode == 1
    assert done.stderr == f"error: lock '{name}': not found\nhint: make it: python -m deploy lock\n"
    assert list((project / "build").iterdir()) == []


def test_checkout_without_git_is_refused(project: Path, tmp_path: Path) -> None:
    """Where there is a repository and no git, that is told, and nothing about its owner."""
    (project / ".git").mkdir()
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in Path(folder).iterdir():
            if tool.name != "git" and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    done = _create(project, ENGINE="none", PATH=str(tools))
    assert done.returncode == 1
    assert done.stderr.startswith("error: git: not installed, and this is a checkout")
    assert done.stderr.endswith("hint: apt-get install git\n")


def test_what_differs_from_the_commit_is_told(project: Path) -> None:
    """Without an engine as well: that the tree is dirty, and which packed files git lacks."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false")
    (project / ".gitignore").write_text("build/\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    clean = _create(project, ENGINE="none", PYTHON="false")
    assert clean.stderr.startswith("error: false: does not start\n")
    (project / "example_app/new.py").write_text("")
    (project / "example_deploy/note.txt").write_text("")
    done = _create(project, ENGINE="none", PYTHON="false")
    dirty, others, *_ = done.stderr.splitlines()
    assert dirty.startswith("dirty    what is packed differs from the commit ")
    assert others == (
        "warning  packed, though git does not track: example_app/new.py, example_deploy/note.txt"
    )


@pytest.mark.parametrize("how", ["showUntrackedFiles", "assume-unchanged", "skip-worktree"])
def test_what_git_was_told_not_to_look_at_is_dirty(project: Path, how: str) -> None:
    """A user's settings of git's make no clean tree of one that differs."""
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false")
    (project / ".gitignore").write_text("build/\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        subprocess.run(["git", *who, *words], cwd=project, check=True)
    if how == "showUntrackedFiles":
        subprocess.run(
            ["git", "config", "status.showUntrackedFiles", "no"], cwd=project, check=True
        )
        (project / "example_app/evil.py").write_text("")
    else:
        words = ["git", "update-index", f"--{how}", "example_app/page.py"]
        subprocess.run(words, cwd=project, check=True)
        (project / "example_app/page.py").write_text("EVIL = 1\n")
    done = _create(project, ENGINE="none", PYTHON="false")
    assert done.stderr.startswith("dirty    what is packed differs from the commit ")


@pytest.mark.parametrize("change", ["none", "byte", "missing", "more"])
def test_check_compares_files_and_names(tmp_path: Path, change: str) -> None:
    """The same files with the same bytes, or an error that names those that are not."""
    for folder in ("build", "again"):
        (tmp_path / folder).mkdir()
        for name in ("example.pex", "app.tar", "seal.json"):
            (tmp_path / folder / name).write_bytes(b"0123456789")
    names = ("app.tar", "example.pex", "seal.json")
    lines = [f"{'0' * 64} {'1' * 64}  {name}\n" for name in names]
    (tmp_path / "build/.inputs").write_text("".join(lines))
    if change == "byte":
        (tmp_path / "again/app.tar").write_bytes(b"0123456788")
    elif change == "missing":
        (tmp_path / "again/app.tar").unlink()
    elif change == "more":
        (tmp_path / "again/zapp.tar").write_bytes(b"")
    steps = ROOT / "luggage/buildpex/create"
    script = 'set -eu; for s in say build check; do . "$0/$s.sh"; done; same again'
    done = subprocess.run(
        ["sh", "-c", script, steps],
        cwd=tmp_path,
        env={**os.environ, "NAME": "example", "PACKAGE": "p", "here": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if change == "none":
        assert done.returncode == 0, done.stderr
        assert done.stderr == "check    packed twice, differently: the same bytes of 3 files\n"
    else:
        named = "zapp.tar" if change == "more" else "app.tar"
        assert done.returncode == 1
        assert f"error: check: packed twice, and not the same: {named}\n" in done.stderr
        assert "python -m deploy diff build/example.pex build/differing/example.pex" in done.stderr
        assert (tmp_path / "build/differing/example.pex").exists()


def _steps(script: str) -> tuple[str, str]:
    """What `script` says through create's own words: on a terminal, and into a pipe."""
    steps = ROOT / "luggage/buildpex/create"
    words = ["sh", "-c", f'set -eu; . "$0/say.sh"; {script}', str(steps)]
    environ = {**os.environ, "NAME": "example"}
    piped = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stderr
    ours, theirs = os.openpty()
    with subprocess.Popen(words, env=environ, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 1000):
                said += piece
        assert process.wait() == 0
    os.close(ours)
    return said.decode().replace("\r\n", "\n"), piped


@pytest.mark.parametrize(
    ("word", "terminal", "pipe"),
    [("", True, False), ("--verbose", True, True), ("--quiet", False, False)],
)
def test_steps_are_shown_on_a_terminal_alone(word: str, terminal: bool, pipe: bool) -> None:
    """With --verbose elsewhere as well, with --quiet nowhere; a warning always."""
    script = (
        f"read_words {word}; doing pex packing; say pex 'packed in 1 s, 6.4 MB'; "
        "warn warning 'something'; result image 'example:1, 79 MB'; now_run 'docker run'"
    )
    shown, piped = _steps(script)
    assert ("pex      packed in 1 s, 6.4 MB\n" in shown) is terminal
    assert ("pex      packed in 1 s, 6.4 MB\n" in piped) is pipe
    assert "warning  something\n" in shown and "warning  something\n" in piped
    told = "image    example:1, 79 MB\n"
    assert (told in shown, told in piped) == ((False, False) if "quiet" in word else (True, True))
    # What is under way stands in a line of its own, that the next one takes.
    assert ("\r\x1b[Kpex      packing …\r\x1b[Kpex      packed" in shown) is terminal
    assert "…" not in piped


def test_what_packing_says_is_told_as_its_kind() -> None:
    """Progress as a step, a warning always, an error as it is, and nothing when it is repeated."""
    lines = "mkpex: done in 1 s\nmkpex: warning: odd\nerror: bad: worse\nhint: do\n"
    shown, piped = _steps(f"printf '%s' '{lines}' | relay")
    assert shown == "mkpex    done in 1 s\nwarning  odd\nerror: bad: worse\nhint: do\n"
    assert piped == "warning  odd\nerror: bad: worse\nhint: do\n"
    shown, piped = _steps(f"once_more=yes; printf '%s' '{lines}' | relay")
    assert shown == piped == "error: bad: worse\nhint: do\n"


@contextlib.contextmanager
def _started(project: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [project / "create"],
        cwd=project,
        env={**os.environ, "ENGINE": "none", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with process:
            yield process
    finally:
        for found in _processes(project):
            os.kill(found, signal.SIGKILL)


def _processes(project: Path) -> dict[int, str]:
    """All that name the project's folder in their command line."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if f"{project}/build/" in line:
                found[int(path.parent.name)] = line
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_all_that_a_step_has_started(
    project: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C while the virtual environment is made: no ensurepip, no temporary file is left."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with _started(project, PYTHON=sys.executable, TMPDIR=str(temporary)) as create:
        end = time.monotonic() + 60
        while len(_processes(project)) < 2:  # venv, and what it has started
            assert time.monotonic() < end
            assert create.poll() is None
            time.sleep(0.01)
        os.killpg(create.pid, number)
        said, _ = create.communicate(timeout=30)
        assert (create.returncode, said) == (128 + number, "")
        assert _processes(project) == {}
    assert list((project / "build").iterdir()) == []
    assert list(temporary.iterdir()) == []


def test_reader_that_goes_away_leaves_nothing(project: Path) -> None:
    """`./create 2>&1 | head -n 0`: whatever it says next ends it, and it tidies up."""
    environ = {**os.environ, "PATH": os.environ["PATH"]}
    environ.pop("ENGINE", None)
    (project / "bin").mkdir()
    for name in ("docker", "podman"):
        (project / "bin" / name).write_text("#!/bin/sh\nsleep 0.3\nexit 1\n")
        (project / "bin" / name).chmod(0o755)
    environ["PATH"] = f"{project}/bin:{environ['PATH']}"
    create = subprocess.Popen(
        [project / "create"], cwd=project, env=environ, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert create.stdout is not None
    create.stdout.close()
    assert create.wait(timeout=60) == 141
    assert list((project / "build").iterdir()) == []


def test_any_shell_can_read_it() -> None:
    """dash parses `create` and each of its steps, and shellcheck has nothing to say."""
    steps = sorted((ROOT / "luggage/buildpex/create").glob("*.sh"))
    assert len(steps) >= 5
    for script in (ROOT / "create", *steps):
        subprocess.run(["dash", "-n", script], check=True)
    if shutil.which("shellcheck") is None:
        pytest.skip("left out: shellcheck is not installed")
    subprocess.run(["shellcheck", ROOT / "create", *steps], check=True)


def test_create_stays_short() -> None:
    """What a project changes is in `create`; how it is packed is luggage's, and not copied."""
    assert len((ROOT / "create").read_text().splitlines()) < 40
