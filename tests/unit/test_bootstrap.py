"""luggage.bootstrap: a virtual environment of the checkout's own, and never anybody else's."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wheel_maker import wheel

ROOT = Path(__file__).resolve().parents[2]
WHEEL = "tiny_thing-1.0-py3-none-any.whl"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with one wheel, so that nothing is fetched."""
    folder = tmp_path / "public"
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


class Public:
    """An index on loopback that writes down what it is asked for, of the wheels in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        asked = self.asked

        class Index(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                asked.append(self.path)

        root = folder.parent
        handler = functools.partial(Index, directory=str(root))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def offer(self, name: str, version: str, **more: str) -> str:
        """Put a wheel on it; returns its hash."""
        digest = wheel(self.folder, name, version, text=more.get("text", ""))
        page = self.folder.parent / "simple" / name.replace("_", "-") / "index.html"
        page.parent.mkdir(parents=True)
        file = f"{name}-{version}-py3-none-any.whl"
        page.write_text(f'<a href="/{self.folder.name}/{file}">{file}</a>\n')
        return digest

    def environ(self) -> dict[str, str]:
        """An environment where pip asks this index and no other."""
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        environ |= {"PIP_INDEX_URL": f"http://127.0.0.1:{self.server.server_port}/simple"}
        return environ | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "0",
            "PIP_NO_CACHE_DIR": "1",
        }


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Public]:
    """It offers `other`, and what somebody else registered under a name of one's own."""
    made = Public(tmp_path / "index" / "files")
    made.offer("own_thing", "9.0", text="WHOSE = 'theirs'\n")
    with made.server:
        yield made
        made.server.shutdown()


def pinned(path: Path, *lines: tuple[str, str]) -> Path:
    """A lock as uv writes one: a hash on a line of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{pin} \\\n    --hash=sha256:{it}\n    # via -r x.in\n" for pin, it in lines)
    path.write_text(text)
    return path


def made_from(public: Public, folder: Path, *locks: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "luggage.bootstrap", folder, *locks],
        cwd=ROOT,
        env=public.environ(),
        check=False,
        capture_output=True,
        text=True,
    )


def whose(folder: Path) -> str:
    """What the environment has of one's own, and that `other` is there."""
    words = [folder / "bin/python", "-c", "import other, own_thing; print(own_thing.WHOSE)"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def test_of_a_wheel_of_ones_own_no_index_is_asked(tmp_path: Path, public: Public) -> None:
    """Neither by a lock, in whatever spelling, nor by a package that needs it; others are."""
    other = public.offer("other", "2.0")
    digest = wheel(tmp_path / "wheels", "own_thing", "1.0", text="WHOSE = 'ours'\n")
    lock = pinned(tmp_path / "lock.txt", ("Own.Thing==1.0", digest), ("other==2.0", other))
    folder = tmp_path / "venv"
    done = made_from(public, folder, lock)
    assert done.returncode == 0, done.stderr
    assert whose(folder) == "ours"
    assert any("other" in path for path in public.asked)
    assert not [path for path in public.asked if "own" in path.lower()]
    assert made_from(public, folder, lock).stderr == ""


def test_what_needs_ones_own_does_not_ask_for_it(tmp_path: Path, public: Public) -> None:
    """Though a line for another Python leaves it out."""
    shutil.rmtree(public.folder.parent / "simple")
    public.offer("other", "2.0")
    other = wheel(public.folder, "other", "2.0", requires=["own-thing"])
    digest = wheel(tmp_path / "wheels", "own_thing", "1.0")
    mine = "own-thing==1.0 ; python_version < '3'"
    lock = pinned(tmp_path / "lock.txt", (mine, digest), ("other==2.0", other))
    done = made_from(public, tmp_path / "venv", lock)
    assert done.returncode == 0, done.stderr
    assert not [path for path in public.asked if "own" in path]


def test_a_wheel_built_again_is_refused_until_it_is_locked(tmp_path: Path, public: Public) -> None:
    """The index that has the name is not asked; and with its new hash the new one is installed."""
    other = public.offer("other", "2.0")
    digest = wheel(tmp_path / "wheels", "own_thing", "1.0", text="WHOSE = 'ours'\n")
    lock = pinned(tmp_path / "lock.txt", ("own-thing==1.0", digest), ("other==2.0", other))
    folder = tmp_path / "venv"
    assert made_from(public, folder, lock).returncode == 0
    digest = wheel(tmp_path / "wheels", "own_thing", "1.0", text="WHOSE = 'newly ours'\n")
    pinned(tmp_path / "lock.txt", ("own-thing==1.0", "0" * 64), ("other==2.0", other))
    done = made_from(public, folder, lock)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "error: lock.txt: own-thing==1.0: no wheel in wheels/ has its hash, and no index is asked "
        "for it\n"
        "hint: if you changed the wheels yourself: python3 -m deploy lock\n"
        "      else do not go on: someone else changed them, or the lock\n"
    )
    assert not [path for path in public.asked if "own" in path]
    pinned(tmp_path / "lock.txt", ("own-thing==1.0", digest), ("other==2.0", other))
    assert made_from(public, folder, lock).returncode == 0
    assert whose(folder) == "newly ours"


def test_lock_is_reached_though_ones_own_does_not_fit(tmp_path: Path, public: Public) -> None:
    """A bare python3 in a fresh checkout: `lock` runs, without it; all others tell, before and
    after.
    """
    root = tmp_path / "checkout"
    needed = ("environ", "gunicorn", "mainland", "nacl", "ncolony")
    lines = [(f"{name}==1.0", public.offer(name, "1.0")) for name in needed]
    wheel(root / "wheels", "own_thing", "1.0", text="WHOSE = 'ours'\n")
    pinned(root / "requirements.txt", *lines, ("own-thing==1.0", "0" * 64))
    pinned(root / "luggage/buildpex/tools.txt")
    (root / "luggage/__init__.py").touch()
    shutil.copy(ROOT / "luggage/bootstrap.py", root / "luggage")
    (root / "deploy.py").write_text(
        "from luggage import bootstrap\nbootstrap.ensure()\nimport nacl, sys\nprint(sys.argv[1])\n"
    )
    bare = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    ends = []
    for command in ("check", "lock", "lock", "check"):
        words = [bare, "-m", "deploy", command]
        done = subprocess.run(
            words, cwd=root, env=public.environ(), check=False, capture_output=True, text=True
        )
        ends.append((done.returncode, done.stdout))
        assert ("own-thing==1.0: no wheel in wheels/" in done.stderr) == (command == "check")
    assert ends == [(1, ""), (0, "lock\n"), (0, "lock\n"), (1, "")]
    assert not [path for path in public.asked if "own" in path]
