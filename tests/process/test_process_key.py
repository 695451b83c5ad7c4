"""The key: in no environment, no command line and no file of any process that is started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import CANARY, PACKAGE, Made, Running, free_port, started


def traces(running: Running, *words: str) -> list[str]:
    """Where any of `words` stands in what the kernel shows of the processes."""
    found = []
    for pid in running.tree():
        for name in ("environ", "cmdline"):
            try:
                shown = Path(f"/proc/{pid}/{name}").read_bytes()
            except PermissionError:
                continue  # hidden from this user, who is not root, as a whole
            found += [f"{pid} {name}" for word in words if word.encode() in shown]
    return found


def in_files(folder: Path, *words: str) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files for word in words if word.encode() in path.read_bytes()]


@pytest.mark.parametrize("source", ["SECRET_KEY", "SECRET_KEY_FILE", "CREDENTIALS_DIRECTORY"])
def test_the_key_leaves_no_trace(made: Made, tmp_path: Path, source: str) -> None:
    """Wherever it comes from, every process opens the secret, and none shows the key."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "SECRET_KEY").write_text(made.key + "\n")
    value = {
        "SECRET_KEY": made.key,
        "SECRET_KEY_FILE": str(folder / "SECRET_KEY"),
        "CREDENTIALS_DIRECTORY": str(folder),
    }[source]
    with started(made, environ=made.environ(PORT=str(free_port()), **{source: value})) as running:
        running.wait_for("gunicorn: ready")
        running.wait_for("loop +. the secret has 24 letters")
        assert running.get("/")[1].split()[1] == str(len(CANARY))
        assert len(running.tree()) == 5
        assert traces(running, made.key, CANARY, "NCOLONY_CONFIG", "SECRET_KEY_FILE") == []
        assert in_files(made.folder / "run", made.key, CANARY) == []
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert made.key not in running.text


def test_a_key_from_a_pipe_serves_everyone(made: Made) -> None:
    """`SECRET_KEY_FILE=<(…)`: read once, and every process opens the secret."""
    os.mkfifo(made.folder / "pipe")
    environ = made.environ(PORT=str(free_port()), SECRET_KEY_FILE=str(made.folder / "pipe"))
    with (
        subprocess.Popen(["/bin/sh", "-c", f"echo {made.key} > {made.folder}/pipe"]),
        started(made, environ=environ) as running,
    ):
        running.wait_for("gunicorn: ready")
        running.wait_for("loop +. the secret has 24 letters")
        assert traces(running, made.key, "SECRET_KEY_FILE") == []


def test_it_runs_with_every_standard_stream_closed(made: Made) -> None:
    """`start <&- >&- 2>&-`: as good as /dev/null; no descriptor of ours becomes stdout."""
    words = ["/bin/sh", "-c", f"exec {sys.executable} -m {PACKAGE} start <&- >&- 2>&-"]
    with started(made, instead=words) as running:
        end = time.monotonic() + 15
        while not answers(running) and time.monotonic() < end:
            time.sleep(0.05)
        assert answers(running)
        folder = Path(f"/proc/{running.process.pid}/fd")
        assert [str((folder / name).readlink()) for name in "012"] == ["/dev/null"] * 3
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def answers(running: Running) -> bool:
    try:
        return running.get("/")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize("command", ["gunicorn", "loop"])
def test_a_command_started_by_hand_hides_the_key_too(made: Made, command: str) -> None:
    """`SECRET_KEY=… python -m deploy loop` does not keep the key in its environment."""
    with started(made, command) as running:
        running.wait_for("goes round" if command == "loop" else "Booting worker")
        if command == "gunicorn":
            assert running.get("/")[0] == 200
        assert traces(running, made.key, CANARY) == []


def test_the_state_folder_is_private(made: Made) -> None:
    """Folders 0700, files 0600; ncolony's files name variables and hold no values."""
    given = "do not write this down"
    with started(made, APP_PASSWORD=given, LOOP_DOES="tell") as running:
        running.wait_for("gunicorn: ready")
        state = made.folder / "run" / "luggage"
        folders = [state, state / "config", state / "messages"]
        assert {0o700} == {path.stat().st_mode & 0o777 for path in folders}
        files = [path for path in state.rglob("*") if path.is_file()]
        assert {0o600} == {path.stat().st_mode & 0o777 for path in files}
        loop = json.loads((state / "config" / "loop").read_text())
        assert "PATH" in loop["env_inherit"] and "APP_PASSWORD" in loop["env_inherit"]
        assert in_files(state, given) == []
        running.wait_for(f"loop +. it was given: {given}")
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not (state / "config").exists()


def test_without_a_state_folder_of_its_own_it_uses_memory(made: Made) -> None:
    """A folder in /dev/shm that is gone at the end, where /run/luggage cannot be used."""
    environ = made.environ(PORT=str(free_port()), SECRET_KEY=made.key)
    del environ["LUGGAGE_RUN"]
    before = set(Path("/dev/shm").glob("luggage-*"))
    with started(made, environ=environ) as first:
        first.wait_for("gunicorn: ready")
        with started(made, environ=environ, PORT=str(free_port())) as second:
            second.wait_for("gunicorn: ready")
            assert set(Path("/dev/shm").glob("luggage-*")) - before
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
    assert set(Path("/dev/shm").glob("luggage-*")) <= before


def test_the_app_passes_nothing_on(made: Made) -> None:
    """What the app starts while it is imported inherits neither key nor socket nor pipe of ours."""
    with started(made, APP_DOES="look") as running:
        assert running.wait_for(r"inherited: (.*)")[1] == "[0, 1, 2]"
