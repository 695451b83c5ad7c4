"""luggage.bootstrap: a virtual environment of the checkout's own, and never anybody else's."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHEEL = "tiny_thing-1.0-py3-none-any.whl"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with one wheel, so that nothing is fetched."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("tiny_thing.py", "")
        wheel.writestr(
            "tiny_thing-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n",
        )
        wheel.writestr(
            "tiny_thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(
            "tiny_thing-1.0.dist-info/RECORD",
            "tiny_thing.py,,\ntiny_thing-1.0.dist-info/METADATA,,\n"
            "tiny_thing-1.0.dist-info/WHEEL,,\ntiny_thing-1.0.dist-info/RECORD,,\n",
        )
    return folder


@pytest.fixture
def lock(tmp_path: Path, wheels: Path) -> Path:
    digest = hashlib.sha256((wheels / WHEEL).read_bytes()).hexdigest()
    path = tmp_path / "lock.txt"
    path.write_text(f"tiny-thing==1.0 --hash=sha256:{digest}\n")
    return path


def make(folder: Path, lock: Path, wheels: Path, *python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(python or (sys.executable,)), "-m", "luggage.bootstrap", str(folder), str(lock)],
        cwd=ROOT,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_made_once(tmp_path: Path, lock: Path, wheels: Path) -> None:
    """The first call makes it and says so on stderr; the second has nothing to say."""
    folder = tmp_path / "venv"
    first = make(folder, lock, wheels)
    assert (first.returncode, first.stdout) == (0, f"{folder}/bin/python\n")
    assert f"making {folder}" in first.stderr
    subprocess.run([folder / "bin/python", "-c", "import tiny_thing"], check=True)
    assert make(folder, lock, wheels).stderr == ""


def test_wrong_hash_is_not_taken_for_installed(tmp_path: Path, lock: Path, wheels: Path) -> None:
    """A lock that could not be installed fails, and fails again the next time."""
    lock.write_text("tiny-thing==1.0 --hash=sha256:" + "0" * 64 + "\n")
    for _ in range(2):
        done = make(tmp_path / "venv", lock, wheels)
        assert done.returncode == 1
        assert f"error: {lock}: could not be installed" in done.stderr


def test_secret_on_stdin_is_not_sent_to_an_index(tmp_path: Path, lock: Path) -> None:
    """An index that asks for a password gets none: stdin may hold a secret for `encrypt`."""
    asked: list[tuple[str, str | None]] = []

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environ = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environ |= {"PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple"}
        environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
        words = [sys.executable, "-m", "luggage.bootstrap", str(tmp_path / "venv"), str(lock)]
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environ,
            input="sealed\nvalue\n",
            check=False,
            capture_output=True,
            text=True,
        )
        server.shutdown()
    assert done.returncode == 1
    assert asked
    assert {authorization for _, authorization in asked} == {None}


def test_environment_of_the_user_is_left_alone(tmp_path: Path, lock: Path, wheels: Path) -> None:
    """A folder that luggage did not make is refused, untouched."""
    folder = tmp_path / "venv"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    done = make(folder, lock, wheels)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {folder}: not made by luggage\nhint: ")
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_half_made_one_is_made_again(tmp_path: Path, lock: Path, wheels: Path) -> None:
    """What an interrupted call left behind is not taken for whole."""
    folder = tmp_path / "venv"
    (folder / ".luggage").mkdir(parents=True)
    assert make(folder, lock, wheels).returncode == 0


def test_a_place_that_cannot_be_written_to_is_one_error(
    tmp_path: Path, lock: Path, wheels: Path
) -> None:
    """No traceback, but the folder, why, and what to do; a read-only file system is as good."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "file").touch()
    for place, folder in ((Path("/proc"), "/proc"), (tmp_path / "checkout" / "file", "file")):
        done = make(place / ".venv", lock, wheels)
        assert (done.returncode, done.stdout) == (1, "")
        told = done.stderr.splitlines()
        assert not [line for line in told if "Traceback" in line]
        assert told[-2].startswith(f"error: {place}/.venv: cannot be made: ")
        assert told[-1].startswith(f"hint: make {place} writable")
        assert folder in told[-1]


def test_missing_debian_package_is_named(tmp_path: Path, lock: Path, wheels: Path) -> None:
    """Where Python has no ensurepip, as on a bare Debian, python3-venv is named in a line."""
    hidden = (
        "import sys, importlib.util as u, runpy; real = u.find_spec;"
        "u.find_spec = lambda n, *a: None if n == 'ensurepip' else real(n, *a);"
        f"sys.argv[1:] = [{str(tmp_path / 'venv')!r}, {str(lock)!r}];"
        "sys.path.insert(0, '.');"
        "runpy.run_module('luggage.bootstrap', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: python3-venv: not installed\nhint: apt-get install python3-venv\n"
    )
    assert not (tmp_path / "venv").exists()
