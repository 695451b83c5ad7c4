"""A config module is written whole or not at all."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from luggage.configfile import write
from luggage.errors import LuggageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file to edit, alone in its folder."""
    file = tmp_path / "config.py"
    file.write_bytes(b"A = 1\n")
    return file


def alone(path: Path) -> bool:
    return [path] == list(path.parent.iterdir())


def test_an_edit_is_written(path: Path) -> None:
    """What the edit returns is what the file holds, and no other file is left."""
    write.update(path, lambda old: old + b"B = 2\n")
    assert path.read_bytes() == b"A = 1\nB = 2\n"
    assert alone(path)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_the_mode_is_kept(path: Path, mode: int) -> None:
    """The new file has the mode of the old one, whatever the umask."""
    path.chmod(mode)
    write.update(path, lambda old: b"new")
    assert mode == path.stat().st_mode & 0o7777


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """A link is followed: the file it names is changed."""
    link = tmp_path / "link.py"
    link.symlink_to(path)
    write.update(link, lambda old: b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"


def test_an_edit_that_fails_changes_nothing(path: Path) -> None:
    """Whatever the edit raises goes on, and the old file stands."""

    def fail(old: bytes) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write.update(path, fail)
    assert path.read_bytes() == b"A = 1\n"
    assert alone(path)


def test_a_file_that_an_editor_changed_meanwhile_is_left(path: Path) -> None:
    """What another program saved between reading and writing is never lost."""

    def edit(old: bytes) -> bytes:
        path.write_bytes(b"saved by an editor")
        return b"new"

    with pytest.raises(LuggageError) as caught:
        write.update(path, edit)
    assert "changed by someone else" in caught.value.message
    assert path.read_bytes() == b"saved by an editor"
    assert alone(path)


@pytest.mark.parametrize("kind", ["absent", "folder", "fifo", "file/below"])
def test_what_is_no_file_is_an_error(tmp_path: Path, kind: str) -> None:
    """Nothing but a file is edited, and what is wrong with the path is told."""
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "file/below":
        path.parent.write_bytes(b"")
    with pytest.raises(LuggageError) as caught:
        write.update(path, lambda old: b"new")
    assert str(path) in caught.value.message


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    """A write that fails half way leaves the old file, and no temporary one."""
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from luggage.configfile import write\n"
        "from luggage.errors import LuggageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: write.update(Path(sys.argv[1]), lambda old: b'x' * 10000)\n"
        "except LuggageError as error: print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, path], capture_output=True, text=True, check=True
    )
    assert "File too large" in done.stdout
    assert path.read_bytes() == b"A = 1\n"
    assert alone(path)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_killed_writer_leaves_a_whole_file(path: Path) -> None:
    """kill -9 at any moment leaves the old or the new text, never a part of one."""
    texts = [b"%d" % n * 200_000 for n in range(2)]
    path.write_bytes(texts[0])
    code = (
        "import sys\nfrom pathlib import Path\nfrom luggage.configfile import write\n"
        "print(flush=True)\n"
        "while True: write.update(Path(sys.argv[1]), lambda old: b'1' * 200000 if old[:1] == b'0'"
        " else b'0' * 200000)\n"
    )
    chance = random.Random(3)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
        assert path.read_bytes() in texts


def add_line(path: Path, line: bytes) -> None:
    for _ in range(20):
        write.update(path, lambda old: old + line)


def test_writers_at_the_same_time_lose_nothing(path: Path) -> None:
    """Several processes that edit one file wait for each other: every edit is there."""
    context = get_context("spawn")
    workers = [context.Process(target=add_line, args=(path, b"%d\n" % n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    lines = path.read_bytes().splitlines()
    assert [lines.count(b"%d" % n) for n in range(3)] == [20, 20, 20]
    assert alone(path)


def test_python_never_runs_the_old_module_from_its_cache(tmp_path: Path) -> None:
    """A change that keeps size and second is seen: Python's cache goes by both."""
    path = tmp_path / "config.py"
    path.write_bytes(b"A = 1\n")
    run = [sys.executable, "-c", "import config; print(config.A)"]
    for value in range(1, 4):
        write.update(path, lambda old, value=value: b"A = %d\n" % value)  # type: ignore[misc]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert f"{value}\n" == done.stdout


def test_a_private_file_is_never_overwritten(tmp_path: Path) -> None:
    """A key file is new, for its owner alone whatever the umask, and a link is not followed."""
    path = tmp_path / "demo.key"
    write.create_private(path, b"key\n")
    assert (path.stat().st_mode & 0o7777, path.read_bytes()) == (0o600, b"key\n")
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "elsewhere")
    for there in (path, link):
        with pytest.raises(FileExistsError):
            write.create_private(there, b"other\n")
    assert path.read_bytes() == b"key\n"
    assert not (tmp_path / "elsewhere").exists()


def test_a_private_file_is_never_seen_in_part(tmp_path: Path) -> None:
    """It has its name only when it is whole: whoever looks on sees all of it, or nothing."""
    path = tmp_path / "demo.key"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom luggage.configfile import write\n"
        "path, real = Path(sys.argv[1]), os.fsync\n"
        "def look(descriptor):\n"
        "    print(path.exists(), len(list(path.parent.iterdir())))\n"
        "    real(descriptor)\n"
        "os.fsync = look\n"
        "write.create_private(path, b'key')\n"
    )
    run = [sys.executable, "-B", "-c", code, path]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == "False 0\nTrue 1\n"
    assert path.read_bytes() == b"key"


def test_a_private_file_is_made_where_files_need_names(tmp_path: Path) -> None:
    """A file system without nameless files gets the same file, and nothing is overwritten."""
    path = tmp_path / "demo.key"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom luggage.configfile import write\n"
        "del os.O_TMPFILE\n"
        "write.create_private(Path(sys.argv[1]), b'key')\n"
    )
    run = [sys.executable, "-B", "-c", code, path]
    subprocess.run(run, capture_output=True, check=True)
    assert (path.stat().st_mode & 0o7777, path.read_bytes()) == (0o600, b"key")
    done = subprocess.run(run, capture_output=True, check=False)
    assert b"FileExistsError" in done.stderr
    assert path.read_bytes() == b"key"
