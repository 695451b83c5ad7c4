"""luggage.buildpex.process: started, shown where it fails, and gone when interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luggage.buildpex import process
from luggage.buildpex.git import Git
from luggage.errors import LuggageError

ROOT = Path(__file__).parents[2]
ENVIRON = {"PATH": os.environ["PATH"]}


def test_a_failure_shows_the_output_and_the_hint(tmp_path: Path) -> None:
    """What the process said last is in the error, and its status."""
    with pytest.raises(LuggageError) as caught:
        process.run(
            ["sh", "-c", "echo out; echo why >&2; exit 3"],
            environ=ENVIRON,
            cwd=tmp_path,
            subject="tool",
            hint="mend it",
        )
    assert caught.value.message == "tool: failed with status 3\n  why\n  out"
    assert caught.value.hint == "mend it"


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    """No traceback for a program that is not there."""
    with pytest.raises(LuggageError, match="tool: none cannot be started: No such file"):
        process.run(["none"], environ=ENVIRON, cwd=tmp_path, subject="tool")


def test_environment_and_umask_are_what_is_said(tmp_path: Path) -> None:
    """Nothing is inherited but what is given, and the umask is 022."""
    before = os.umask(0o077)
    try:
        out = process.run(
            ["sh", "-c", "umask; echo ${HOME-none}"], environ=ENVIRON, cwd=tmp_path, subject="sh"
        )
    finally:
        os.umask(before)
    assert out == b"0022\nnone\n"


KEY = {
    "SECRET_KEY": "lugkey1.canary",
    "SECRET_KEY_FILE": "/canary.key",
    "CREDENTIALS_DIRECTORY": "/canary",
}
FAKE = """\
#!/bin/sh
{ echo "$0 $*"; tr '\\0' '\\n' < /proc/$$/environ; } >> "$SEEN"
"""


@pytest.fixture
def seen(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A git on PATH that writes down what it was given, and an environment with the key."""
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    path = f"{fake.parent}:{os.environ['PATH']}"
    return tmp_path / "seen", {"PATH": path, "SEEN": str(tmp_path / "seen"), **KEY}


def test_no_process_gets_the_key(tmp_path: Path, seen: tuple[Path, dict[str, str]]) -> None:
    """Neither git when packing, nor its check-ignore for keygen, nor what we turn into."""
    record, environ = seen
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    Git.of(tmp_path / "shop", environ)
    code = (
        "import os; from pathlib import Path; from luggage.buildpex import process;"
        "from luggage.commands import words;"
        f"words.ignored(Path({str(tmp_path / 'shop' / 'prod.key')!r}));"
        f"process.become([{str(tmp_path / 'bin' / 'git')!r}, 'become'],"
        " environ=os.environ, cwd=Path.cwd())"
    )
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=ROOT, check=True)
    told = record.read_text()
    for words in ("git rev-parse", "git check-ignore", "git become"):
        assert words in told
    assert told.count(f"SEEN={record}") == told.count("/bin/git ")
    assert "canary" not in told
    assert not [name for name in KEY if name in told]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_process_and_what_it_started(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Neither the child nor its child outlives us: they would write into folders being removed."""
    code = (
        "from pathlib import Path; from luggage.buildpex import process; process.interruptible();"
        "process.run(['sh', '-c', 'sleep 600 & echo $! $$ >ids.new; mv ids.new ids; wait'],"
        f" environ={ENVIRON!r}, cwd=Path({str(tmp_path)!r}), subject='sh')"
    )
    ours = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not (tmp_path / "ids").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ours.send_signal(number)
    _, err = ours.communicate(timeout=20)
    assert err.rstrip().endswith(b"KeyboardInterrupt")
    deadline = time.monotonic() + 10
    for word in (tmp_path / "ids").read_text().split():
        while alive(word):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def alive(pid: str) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:  # also where it ends while it is looked at
        return False
