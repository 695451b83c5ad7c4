"""What does not pack, and what is left behind when it does not."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from packed import Checkout, digests

pytestmark = pytest.mark.packing


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder with an older artifact, which no failure may touch."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/example.pex").write_bytes(b"the old one")
    (tmp_path / "out/deps.tar").write_bytes(b"its layer")
    return tmp_path / "out"


def refused(
    project: Checkout, output: Path, *more: str, environ: dict[str, str] | None = None
) -> str:
    """What packing says; it must fail, plainly, and leave `output` as it was."""
    before = digests(output)
    done = project.mkpex(output, *more, environ=environ)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert digests(output) == before
    return done.stderr


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_lock_with_one_hash_changed_does_not_pack(project: Checkout, output: Path) -> None:
    """One digit of the one hash of the wheel in use."""
    wheel = next(project.wheels.glob("mainland-*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    other = ("0" if digest[0] != "0" else "1") + digest[1:]
    edit(project.root / "requirements.txt", digest, other)
    said = refused(project, output)
    assert f"error: mainland==0.0.1: {wheel.name} has SHA-256 {digest}" in said


def test_an_altered_wheel_does_not_pack(project: Checkout, output: Path, tmp_path: Path) -> None:
    """The cache is not trusted: one byte more in a wheel, of another's making."""
    poisoned = tmp_path / "wheels"
    shutil.copytree(project.wheels, poisoned)
    wheel = next(poisoned.glob("flask-*.whl"))
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("flask/evil.py", "print('evil')")
    said = refused(Checkout(project.root, poisoned), output)
    assert f"error: flask==3.1.3: {wheel.name} has SHA-256 " in said


def test_an_altered_tool_is_never_run(project: Checkout, output: Path, tmp_path: Path) -> None:
    """A pex in the wheelhouse that is not the locked one is refused before it can do anything."""
    poisoned = tmp_path / "wheels"
    shutil.copytree(project.wheels, poisoned)
    for wheel in poisoned.glob("pex-*.whl"):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("pex/__init__.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
    said = refused(Checkout(project.root, poisoned), output)
    assert "error: tool pex==" in said
    assert "not the hash of tools.txt" in said
    assert not (tmp_path / "ran").exists()


def test_a_missing_wheel_does_not_pack(project: Checkout, output: Path, tmp_path: Path) -> None:
    """Two wheels are gone: both are named."""
    fewer = tmp_path / "wheels"
    shutil.copytree(project.wheels, fewer)
    for pattern in ("flask-*.whl", "urllib3-*.whl"):
        next(fewer.glob(pattern)).unlink()
    said = refused(Checkout(project.root, fewer), output)
    assert "error: flask==3.1.3: no wheel of it in the wheelhouse\n" in said
    assert "error: urllib3==" in said


def test_wheels_for_another_python_do_not_pack(
    project: Checkout, output: Path, tmp_path: Path
) -> None:
    """The error says which Python it packs for."""
    foreign = tmp_path / "wheels"
    shutil.copytree(project.wheels, foreign)
    wheel = next(foreign.glob("markupsafe-*.whl"))
    wheel.rename(foreign / "markupsafe-3.0.4-cp39-cp39-win_amd64.whl")
    said = refused(Checkout(project.root, foreign), output)
    assert "error: markupsafe==3.0.4: no wheel for Python 3." in said
    assert "only markupsafe-3.0.4-cp39-cp39-win_amd64.whl" in said


def test_an_unpinned_line_does_not_pack(project: Checkout, output: Path) -> None:
    """The line's number and the line."""
    with (project.root / "requirements.txt").open("a") as lock:
        lock.write("requests>=2\n")
    lines = len((project.root / "requirements.txt").read_text().splitlines())
    said = refused(project, output)
    assert f"error: requirements.txt:{lines}: 'requests>=2': not pinned with ==" in said


def test_a_lock_that_lacks_a_dependency_does_not_pack(project: Checkout, output: Path) -> None:
    """What pex finds wrong is shown."""
    path = project.root / "requirements.txt"
    lines = path.read_text().splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("werkzeug=="))
    end = next(i for i in range(start + 1, len(lines)) if lines[i][0] not in " #")
    path.write_text("".join(lines[:start] + lines[end:]))
    said = refused(project, output)
    assert "error: pex: failed with status 1" in said
    assert "werkzeug" in said


@pytest.mark.parametrize("lock", ["", None])
def test_a_lock_without_what_luggage_runs_on_does_not_pack(
    project: Checkout, output: Path, lock: str | None
) -> None:
    """What could not start is not packed: an empty lock, or the app's own needs alone."""
    path = project.root / "requirements.txt"
    text = path.read_text()
    flask = text[text.index("flask==") : text.index("gunicorn==")]
    path.write_text(flask if lock is None else lock)
    said = refused(project, output)
    assert "runs on environ-config, gunicorn, mainland, ncolony, prometheus-c" in said
    assert "then: python -m deploy lock" in said


def test_modules_that_do_not_compile_do_not_pack(project: Checkout, output: Path) -> None:
    """All of them, by file and line."""
    (project.root / "example_app/extra.py").write_text("X = 1\ndef broken(:\n")
    (project.root / "example_deploy/more.py").write_text("(\n")
    said = refused(project, output)
    assert "error: file 'example_app/extra.py': line 2: invalid syntax\n" in said
    assert "error: file 'example_deploy/more.py': line 1: '(' was never closed\n" in said


def test_a_misnamed_environment_and_a_cut_value_do_not_pack(
    project: Checkout, output: Path
) -> None:
    """What can be seen without a key is told with the config module, the place and the rule."""
    config = project.root / "example_deploy/config.py"
    edit(config, '"demo"', '"dem o"')
    edit(config, "_kVLw-THtq3HG0FT90HprIfOez", "")
    said = refused(project, output)
    assert "error: config module 'example_deploy/config.py': environment 'dem o': its name" in said
    assert "error: config module 'example_deploy/config.py': secret 'LINES_API_KEY': " in said
    assert "manifest" not in said


def test_a_key_file_in_the_tree_does_not_pack(project: Checkout, output: Path) -> None:
    """Every known file that is, or holds, a private key is named; its text is not shown."""
    (project.root / "example_app/server.pem").write_text("")
    (project.root / "luggage/notes.txt").write_text("lugkey1." + "k" * 48 + "\n")
    (project.root / "example_app/prod.key").write_text("x")
    project.git("add", "--force", ".")
    project.git("commit", "-q", "-m", "keys")
    said = refused(project, output)
    assert [line for line in said.splitlines() if line.startswith("error: ")] == [
        "error: file 'example_app/prod.key': named like a private key",
        "error: file 'example_app/server.pem': named like a private key",
        "error: file 'luggage/notes.txt': a private key is in it",
    ]
    assert "kkkk" not in said


def test_a_value_that_was_never_sealed_does_not_pack(project: Checkout, output: Path) -> None:
    """Plaintext in config.py would be in the artifact for all to read."""
    config = project.root / "example_deploy/config.py"
    text = config.read_text()
    start = text.index('"LINES_API_KEY": "') + len('"LINES_API_KEY": "')
    config.write_text(text[:start] + "veiled" + text[text.index('"', start) :])
    said = refused(project, output)
    assert "error: config module 'example_deploy/config.py': secret 'LINES_API_KEY': not a" in said
    assert "veiled" not in said


def test_a_run_module_may_not_be_held_back(project: Checkout, output: Path) -> None:
    """An entry that imports the pack island could not start: refused, with the reason."""
    with (project.root / "example_deploy/__main__.py").open("a") as module:
        module.write("import luggage.buildpex\n")
    said = refused(project, output)
    assert "error: file 'example_deploy/__main__.py': imports luggage.buildpex, so" in said


@pytest.mark.parametrize("commit", ["HEAD", "abc", "C" * 40])
def test_a_commit_that_is_none_is_refused(project: Checkout, output: Path, commit: str) -> None:
    """Only a full name in hex."""
    assert f"error: --commit '{commit}'" in refused(project, output, "--commit", commit)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_nothing(
    project: Checkout, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The old artifact, no working folder, no tools, no process."""
    before = digests(output)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    ours = subprocess.Popen(
        project.words(output),
        cwd=project.root,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not list(output.glob(".mkpex-*/work/*/pex/*")):  # pex itself is at work
        assert time.monotonic() < deadline
        assert ours.poll() is None
        time.sleep(0.01)
    work = str(next(output.glob(".mkpex-*")))
    ours.send_signal(number)
    out, err = ours.communicate(timeout=30)
    assert (ours.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert digests(output) == before
    assert list(temporary.iterdir()) == []
    assert list((project.root / "build/cache").glob("new.*")) == []
    running = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and work.encode() in path.read_bytes()
    ]
    assert running == []


def test_a_new_artifact_has_no_old_layers_beside_it(project: Checkout, output: Path) -> None:
    """A success replaces the old pex, and the layers of the old one go."""
    assert project.mkpex(output).returncode == 0
    assert sorted(path.name for path in output.iterdir()) == [
        *("example.pex", "manifest.json", "sbom.cdx.json", "seal.json")
    ]
    assert (output / "example.pex").stat().st_size > 1_000_000


def test_what_may_be_on_purpose_is_a_warning(project: Checkout, output: Path) -> None:
    """A required secret without a value, and an import that nothing answers, are told."""
    config = project.root / "example_deploy/config.py"
    edit(config, 'required=("LINES_API_KEY",', 'required=("LINES_API_KEY", "NEW_API_KEY",')
    edit(project.root / "example_deploy/mkpex.py", '"example_app", ', "")
    done = project.mkpex(output)
    assert done.returncode == 0, done.stderr
    warned = [line for line in done.stderr.splitlines() if "warning" in line]
    assert warned == [
        "mkpex: warning: example_deploy/config.py: environment 'demo' has no value for "
        "NEW_API_KEY, and does not start without",
        "mkpex: warning: example_deploy/config.py: imports example_app, which is not packed, "
        "and in no wheel",
    ]
