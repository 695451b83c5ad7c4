"""`decrypt` as a user runs it: the bytes that were sealed, and to no terminal unasked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from depots import VALUES, Checkout

from luggage.configfile import grammar


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


def on_terminal(checkout: Checkout, *words: str) -> tuple[int, str]:
    """Exit status, and what a terminal shows."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "depot", *words],
        cwd=checkout.root,
        env=checkout.environ("demo.key"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        check=False,
        timeout=60,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        shown += part
    os.close(ours)
    return done.returncode, shown.decode()


@pytest.mark.parametrize("environment", VALUES)
def test_it_writes_the_bytes_that_were_sealed(checkout: Checkout, environment: str) -> None:
    """Of every type, byte for byte, with nothing after them; the key says which environment."""
    for name, (_, value) in VALUES[environment].items():
        done = checkout.run("decrypt", name, key=f"{environment}.key")
        assert (done.returncode, done.stdout, done.stderr) == (0, value, b"")
        named = checkout.run("decrypt", name, "--env", environment, key=f"{environment}.key")
        assert named.stdout == value


def test_without_a_key_or_with_another_it_is_refused(checkout: Checkout) -> None:
    """What opens is told with the ids of the keys, and what to give."""
    assert "no key" in checkout.refuse("decrypt", "LINES_API_KEY")
    told = checkout.refuse("decrypt", "LINES_API_KEY", "--env", "prod", key="demo.key")
    assert "opens environment 'demo', not 'prod'" in told
    assert checkout.keys["prod"].public.id in told
    (checkout.root / "demo.key").rename(checkout.root / "gone")
    assert "cannot be read" in checkout.refuse("decrypt", "SITE", key="demo.key")


def test_a_bundle_of_several_environments_needs_one_named(checkout: Checkout) -> None:
    """No environment is guessed."""
    checkout.keep("both.key", *checkout.keys.values())
    assert "add: --env" in checkout.refuse("decrypt", "LINES_API_KEY", key="both.key")
    done = checkout.run("decrypt", "LINES_API_KEY", "--env", "prod", key="both.key")
    assert done.stdout == b"canary-prod"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("NOT_THERE",), "it has: BLOB, LINES_API_KEY, MOOD_API_KEY, SITE"),
        (("canary",), "not the name of a secret"),
        (("SITE", "--env", "canary"), "there are: demo, prod"),
        (("SITE", "canary"), "cannot be read"),
        ((), "cannot be read"),
    ],
)
def test_what_is_not_there_is_refused(
    checkout: Checkout, words: tuple[str, ...], told: str
) -> None:
    """And no word is echoed that could be a secret."""
    assert told in checkout.refuse("decrypt", *words, key="demo.key")


def test_a_swapped_value_is_refused(checkout: Checkout) -> None:
    """A value that was sealed for another name is not shown under this one."""
    demo = grammar.read(checkout.config.read_bytes()).environments["demo"].values
    text = checkout.config.read_text()
    checkout.config.write_text(text.replace(demo["SITE"].value, demo["BLOB"].value))
    told = checkout.refuse("decrypt", "SITE", key="demo.key")
    assert "sealed for name 'BLOB', but it stands in name 'SITE'" in told


def test_a_terminal_sees_it_only_when_asked(checkout: Checkout) -> None:
    """Without --show nothing of the value is on the screen; with it, the value and a line end."""
    status, shown = on_terminal(checkout, "decrypt", "LINES_API_KEY")
    assert status == 1
    assert "canary" not in shown
    assert "add: --show" in shown
    status, shown = on_terminal(checkout, "decrypt", "LINES_API_KEY", "--show")
    assert (status, shown) == (0, "canary-pässword 🔑\r\n")


def test_a_terminal_gets_no_bytes_that_it_would_obey(checkout: Checkout) -> None:
    """Anyone may have sealed the value, so it could hold a terminal's orders."""
    checkout.run("encrypt", "TRAP", "--env", "demo", value=b"\x1b]0;canary\x07")
    for name in ("TRAP", "BLOB"):
        status, shown = on_terminal(checkout, "decrypt", name, "--show")
        assert status == 1
        assert "\x1b" not in shown
        assert "cat -v" in shown
    assert checkout.run("decrypt", "TRAP", key="demo.key").stdout == b"\x1b]0;canary\x07"


@pytest.mark.parametrize("words", [("decrypt", "SITE"), ("bundle", "demo.key")])
def test_a_stdout_that_is_closed_is_one_error(checkout: Checkout, words: tuple[str, ...]) -> None:
    """`>&-`: there is nowhere to write to, and no traceback."""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "depot", *words],
        cwd=checkout.root,
        env=checkout.environ("demo.key"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {words[0]}: stdout is closed\nhint: ")
    assert done.stderr.count("\n") == 2
    assert (checkout.root / "demo.key").read_text().startswith("lugkey1.")


def test_a_stdout_that_is_full_is_an_error(checkout: Checkout) -> None:
    """The value is not silently lost."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "depot", "decrypt", "SITE"],
            cwd=checkout.root,
            env=checkout.environ("demo.key"),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"error: decrypt: stdout cannot be written to: No space left on device\n"
