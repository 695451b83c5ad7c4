"""What others of the same user see of a command that reads a key: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from depots import Checkout

# Root sees everything: without capabilities it is a user like any other.
PLAIN = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
READER = """\
import sys
for name in ("environ", "mem", "maps"):
    try:
        open(f"/proc/{sys.argv[1]}/{name}", "rb").close()
        print(name)
    except PermissionError:
        pass
"""
EDITOR = """\
import os, pathlib, sys, time
(pathlib.Path(os.environ["HOME"]) / "environ").write_text(repr(dict(os.environ)))
(pathlib.Path(os.environ["HOME"]) / "opened").touch()
time.sleep(60)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


def seen(pid: int) -> list[str]:
    """What a process of the same user, without capabilities, can open of another."""
    words = [*PLAIN, sys.executable, "-c", READER, str(pid)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()


def start(checkout: Checkout, *words: str, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PLAIN, sys.executable, "-m", "depot", *words],
        cwd=checkout.root,
        env=checkout.environ(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def reader_of(pipe: Path) -> int:
    """A descriptor to write to, once someone waits for what comes from the pipe."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize(
    "words",
    [
        ("decrypt", "SITE"),
        ("edit",),
        ("rotate", "demo"),
        ("rename", "SITE", "PLACE"),
        ("secrets",),
        ("bundle", "pipe"),
    ],
)
def test_it_hides_before_it_reads_the_key(checkout: Checkout, words: tuple[str, ...]) -> None:
    """While it still waits for the key, neither memory nor environment can be looked at."""
    text = (checkout.root / "demo.key").read_text()
    os.mkfifo(checkout.root / "pipe")
    given = {} if words[0] == "bundle" else {"SECRET_KEY_FILE": "pipe", "SECRET_KEY": text.strip()}
    with start(checkout, *words, EDITOR="true", **given) as process:
        descriptor = reader_of(checkout.root / "pipe")
        try:
            assert seen(process.pid) == []
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            assert [it.split()[4] for it in limits.splitlines() if it[:8] == "Max core"] == ["0"]
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err


def test_what_shows_here_is_hidden_there() -> None:
    """The reader of these tests can read: what it does not see is hidden."""
    words = [*PLAIN, sys.executable, "-c", "print(1, flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert seen(other.pid) == ["environ", "mem", "maps"]
        other.communicate(b"\n")


def test_while_an_editor_is_open_no_environment_holds_the_key(checkout: Checkout) -> None:
    """Not even root finds it in /proc/PID/environ: of the command, its keeper or the editor."""
    text = (checkout.root / "demo.key").read_text().strip()
    script = checkout.root / "home" / "editor.py"
    script.write_text(EDITOR)
    editor = f"{sys.executable} '{script}'"
    with start(checkout, "edit", SECRET_KEY=text, EDITOR=editor) as process:
        deadline = time.monotonic() + 60
        while not (checkout.root / "home" / "opened").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2, "the keeper and the editor"
        if os.geteuid() == 0:
            for pid in (str(process.pid), *children):
                assert text.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        keeper, _ = map(int, children)  # in the order of their births
        assert seen(process.pid) == []
        assert seen(keeper) == []
        assert text not in (checkout.root / "home" / "environ").read_text()
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 143


@pytest.mark.parametrize("what", ["config.py", "."])
def test_no_editor_opens_for_what_cannot_be_written(checkout: Checkout, what: str) -> None:
    """A config.py, or a folder of it, that is read-only is told before anything is typed."""
    (checkout.config.parent / what).chmod(0o500)
    with start(checkout, "edit", SECRET_KEY_FILE="demo.key", EDITOR="touch opened") as process:
        _, err = process.communicate(timeout=60)
    (checkout.config.parent / what).chmod(0o700)
    assert process.returncode == 1
    assert err.startswith(b"error: depot/config.py: cannot be written to\n")
    assert not (checkout.root / "opened").exists()


@pytest.mark.parametrize(
    "words", [("decrypt", "SITE"), ("edit",), ("rotate", "demo"), ("rename", "SITE", "X")]
)
def test_a_key_file_that_others_can_read_is_told(
    checkout: Checkout, words: tuple[str, ...]
) -> None:
    """Once, with the command that mends it."""
    (checkout.root / "demo.key").chmod(0o644)
    done = checkout.run(*words, key="demo.key", EDITOR="true")
    assert done.returncode == 0
    assert done.stderr.count(b"others can read this key: chmod 600 demo.key") == 1


def test_a_key_file_that_is_not_there_is_named(checkout: Checkout) -> None:
    """By its path; not where the key itself was put there by mistake."""
    told = checkout.refuse("decrypt", "SITE", key="nosuch.key")
    assert "SECRET_KEY_FILE: cannot be read: No such file" in told
    assert "check the path: nosuch.key" in told
    text = (checkout.root / "demo.key").read_text().strip()
    for wrong in (text, text.removeprefix("lugkey1."), f"./{text}"):
        told = checkout.refuse("decrypt", "SITE", key=wrong)
        assert text[10:20] not in told


def test_of_a_key_that_git_tracks_nothing_is_told(checkout: Checkout) -> None:
    """It is public on purpose, and git gives it to everybody's checkout as mode 644; but another
    that lies beside it is told.
    """
    (checkout.root / "demo.key").chmod(0o644)
    (checkout.root / "prod.key").chmod(0o644)
    subprocess.run(["git", "-C", checkout.root, "add", "-f", "demo.key"], check=True)
    for words, key in ((("secrets",), "demo.key"), (("bundle", "demo.key"), "")):
        done = checkout.run(*words, key=key)
        assert (done.returncode, b"others can read" in done.stderr) == (0, False), done.stderr
    assert b"warning: prod.key: others can read" in checkout.run("bundle", "prod.key").stderr
