"""`encrypt` and `keygen` as a user runs them: real processes in a real checkout."""

from __future__ import annotations

import difflib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from luggage.configfile import grammar
from luggage.crypto import Secret, envelope, keys
from luggage.crypto.envelope import Context

ROOT = Path(__file__).parent.parent.parent
CANARY = "canary-value-3e9a"
CONFIG = """\
from __future__ import annotations

from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="thing",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={},
)
"""
MAIN = """\
import sys
from luggage import commands
sys.exit(commands.main(sys.argv, "depot"))
"""


class Checkout:
    """A project of someone else's: its own package `depot`, in a repository of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "depot" / "config.py"
        self.config.parent.mkdir()
        self.config.write_text(CONFIG)
        (self.config.parent / "__init__.py").touch()
        (self.config.parent / "__main__.py").write_text(MAIN)
        shutil.copy(ROOT / "example_deploy" / "encrypt.py", self.config.parent)
        (root / ".gitignore").write_text("*.key\n")
        subprocess.run(["git", "init", "-q", root], check=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.argv = [sys.executable, "-m", "depot"]

    def run(self, *words: str, value: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.argv, *words],
            cwd=self.root,
            env=self.environ,
            input=value,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def refuse(self, *words: str, value: bytes = b"") -> str:
        """stderr of a command that fails, changes nothing and shows no value."""
        before = self.config.read_bytes()
        done = self.run(*words, value=value)
        assert done.returncode in (1, 2)
        assert (b"", before) == (done.stdout, self.config.read_bytes())
        assert CANARY.encode() not in done.stderr
        assert b"Traceback" not in done.stderr
        assert b"error: " in done.stderr
        return done.stderr.decode()

    def open(self, name: str, environment: str = "demo") -> object:
        text = (self.root / f"{environment}.key").read_text().strip()
        key = keys.parse_keys(Secret(text)).keys[0]
        sealed = grammar.read(self.config.read_bytes()).environments[environment].values[name]
        place = Context("thing", environment, name, key.public, 1)
        return envelope.unseal(sealed.value, key, place).reveal()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout with the environment `demo`."""
    made = Checkout(tmp_path)
    done = made.run("keygen", "demo")
    assert (done.returncode, done.stdout.decode()) == (0, "demo.key\n")
    return made


def test_a_piped_value_changes_exactly_one_line(checkout: Checkout) -> None:
    """`printf veiled | python -m deploy encrypt NAME`: one line more, then one line changed."""
    checkout.run("encrypt", "MOOD_API_KEY", value=b"other")
    before = checkout.config.read_text().splitlines()
    done = checkout.run("encrypt", "LINES_API_KEY", value=CANARY.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"depot/config.py: LINES_API_KEY added for demo\n"
    after = checkout.config.read_text().splitlines()
    assert counts(before, after) == [1, 0]
    assert checkout.open("LINES_API_KEY") == CANARY
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"new")
    assert done.stdout == b"depot/config.py: LINES_API_KEY replaced for demo\n"
    assert counts(after, checkout.config.read_text().splitlines()) == [1, 1]
    assert checkout.open("LINES_API_KEY") == "new"
    for path in checkout.root.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes()


def counts(before: list[str], after: list[str]) -> list[int]:
    """How many lines came and went."""
    lines = list(difflib.ndiff(before, after))
    return [sum(line.startswith(sign) for line in lines) for sign in ("+ ", "- ")]


@pytest.mark.parametrize(
    ("given", "words", "kept"),
    [
        (b"v\n", (), "v"),
        (b"v\n\n", (), "v\n"),
        (b"v\r\n", (), "v"),
        (b" v ", (), " v "),
        (b"a\nb\n", (), "a\nb"),
        ("pässwörd 🔑".encode(), (), "pässwörd 🔑"),
        (b"v\n", ("--type", "bytes"), b"v\n"),
        (b"\0\xff", ("--type", "bytes"), b"\0\xff"),
        (b'{"a": 1}\n', ("--type", "json"), {"a": 1}),
        (b"postgres://u:p@h/d\n", ("--type", "url"), "postgres://u:p@h/d"),
        (b"x" * 65_536 + b"\n", (), "x" * 65_536),
    ],
)
def test_exactly_one_line_end_is_taken_off(
    checkout: Checkout, given: bytes, words: tuple[str, ...], kept: object
) -> None:
    """What is sealed is stdin without one line end; as bytes, all of it."""
    done = checkout.run("encrypt", "LINES_API_KEY", *words, value=given)
    assert (done.returncode, done.stderr) == (0, b"")
    assert kept == checkout.open("LINES_API_KEY")


@pytest.mark.parametrize(
    ("given", "words", "told"),
    [
        (b"", (), "stdin is empty"),
        (b"\n", (), "stdin is empty"),
        (b"\xff" + CANARY.encode(), (), "--type bytes"),
        (b"\0" + CANARY.encode(), (), "--type bytes"),
        (b"x" * 65_537, (), "65,536 bytes"),
        (b"x" * 65_537, ("--type", "bytes"), "65,536 bytes"),
        (CANARY.encode(), ("--type", "json"), "not strict JSON"),
        (CANARY.encode(), ("--type", "url"), "not a URL"),
        (CANARY.encode(), ("--type", CANARY), "text, bytes, json, url"),
        (CANARY.encode(), ("--env", CANARY), "there are: demo"),
    ],
)
def test_what_is_no_value_is_refused(
    checkout: Checkout, given: bytes, words: tuple[str, ...], told: str
) -> None:
    """Empty, too long, or not of its type: nothing is written, and the limit or the way is told."""
    assert told in checkout.refuse("encrypt", "LINES_API_KEY", *words, value=given)


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [("text", b"a\nb\n\n", "a\nb\n"), ("bytes", b"\x00\xff\n", b"\x00\xff\n")],
)
def test_a_value_comes_from_a_file(
    checkout: Checkout, kind: str, data: bytes, value: object
) -> None:
    """--file: several lines, or any bytes; what is on stdin does not count."""
    (checkout.root / "value").write_bytes(data)
    words = ["LINES_API_KEY", "--type", kind, "--file", "value"]
    done = checkout.run("encrypt", *words, value=b"not this")
    assert (done.returncode, done.stderr) == (0, b"")
    assert checkout.open("LINES_API_KEY") == value


@pytest.mark.parametrize("words", [("--file", CANARY), ("--file", "."), ("--file", "empty")])
def test_a_file_that_gives_no_value_is_refused(checkout: Checkout, words: tuple[str, ...]) -> None:
    """No file, a folder, an empty file; and a value put in the path's place is not echoed."""
    (checkout.root / "empty").touch()
    assert "error: " in checkout.refuse("encrypt", "LINES_API_KEY", *words)


@pytest.mark.parametrize(
    "words",
    [
        ("LINES_API_KEY", CANARY),
        ("LINES_API_KEY", f"--value={CANARY}"),
        ("LINES_API_KEY", "--env", "demo", CANARY),
        ("LINES_API_KEY", "--", CANARY),
        ("LINES_API_KEY", f"-{CANARY}"),
    ],
)
def test_a_value_on_the_command_line_is_refused(checkout: Checkout, words: tuple[str, ...]) -> None:
    """The message does not echo it, and says that it is to be considered leaked."""
    told = checkout.refuse("encrypt", *words, value=b"x")
    assert "must not be on the command line" in told
    assert "consider it leaked" in told


@pytest.mark.parametrize("words", [(CANARY,), (), (f"--help={CANARY}",), ("A_B", "--env")])
def test_words_that_cannot_be_read_are_not_echoed(
    checkout: Checkout, words: tuple[str, ...]
) -> None:
    """Any word could be a value put there by mistake: none is shown."""
    checkout.refuse("encrypt", *words, value=b"x")


def test_with_several_environments_one_is_to_be_named(checkout: Checkout) -> None:
    """No environment is guessed: the error lists them, and --env chooses."""
    checkout.run("keygen", "prod")
    told = checkout.refuse("encrypt", "LINES_API_KEY", value=b"x")
    assert "demo, prod" in told
    done = checkout.run("encrypt", "LINES_API_KEY", "--env", "prod", value=b"x")
    assert b"added for prod" in done.stdout
    assert checkout.open("LINES_API_KEY", "prod") == "x"


def test_a_name_that_is_not_required_is_noted(checkout: Checkout) -> None:
    """A typing error in the name is seen: the note is on stderr, the result on stdout."""
    done = checkout.run("encrypt", "LINES_API_KEI", value=b"x")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)
    assert b"LINES_API_KEI is not in `required`" in done.stderr


def test_help_tells_what_a_newcomer_needs(checkout: Checkout) -> None:
    """--help names the line end that is taken off, the limit, and has examples."""
    done = checkout.run("encrypt", "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    for told in ("exactly one line end", "65,536 bytes", "python -m depot encrypt LINES_API_KEY"):
        assert told in done.stdout.decode()
    assert b"python -m depot keygen prod" in checkout.run("keygen", "--help").stdout


def typed(checkout: Checkout, *answers: bytes) -> tuple[int, str]:
    """Run encrypt on a terminal, answer its prompts, and return status and all that was shown."""
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another program at once
        os.chdir(checkout.root)
        os.execve(checkout.argv[0], [*checkout.argv, "encrypt", "LINES_API_KEY"], checkout.environ)
    shown = b""
    answered = 0
    waiting = list(answers)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(terminal, 1024)
        except OSError:
            break
        shown += part
        # A prompt may come in two parts, the last of them a space alone.
        if waiting and shown[answered:].rstrip(b" ").endswith(b":"):
            answered = len(shown)
            os.write(terminal, waiting.pop(0))
    else:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


def test_at_a_terminal_it_asks_twice_and_shows_nothing(checkout: Checkout) -> None:
    """The value typed is not on the screen, and a typing error is noticed."""
    line = f"{CANARY}\n".encode()
    status, shown = typed(checkout, line, line)
    assert status == 0
    assert CANARY not in shown
    assert checkout.open("LINES_API_KEY") == CANARY
    before = checkout.config.read_bytes()
    for answers in ((line, b"other\n"), (b"\n", b"\n"), (b"\x04",), (b"\x03",)):
        status, shown = typed(checkout, *answers)
        assert status != 0
        assert CANARY not in shown
        assert "Traceback" not in shown
    assert before == checkout.config.read_bytes()


def test_keygen_refuses_a_key_that_could_be_committed(checkout: Checkout) -> None:
    """git is asked: a key file that it does not ignore is not made."""
    (checkout.root / ".gitignore").write_text("*.key\n!prod.key\n")
    assert "git would not ignore it" in checkout.refuse("keygen", "prod")
    assert not (checkout.root / "prod.key").exists()


def test_keygen_works_where_there_is_no_repository(checkout: Checkout) -> None:
    """Without git nothing can be committed, so there is nothing to ignore."""
    shutil.rmtree(checkout.root / ".git")
    (checkout.root / ".gitignore").unlink()
    done = checkout.run("keygen", "prod")
    assert done.returncode == 0
    assert (checkout.root / "prod.key").stat().st_mode & 0o7777 == 0o600


def test_keygen_says_nothing_of_the_key_but_its_place(checkout: Checkout) -> None:
    """The key is in its file and nowhere on the screen."""
    done = checkout.run("keygen", "prod")
    key = (checkout.root / "prod.key").read_text().strip()
    assert key.encode() not in done.stdout + done.stderr


def test_the_example_opens_with_its_published_key() -> None:
    """demo.key opens exactly the two values that the example's service accepts."""
    code = (
        "from example_deploy.config import SECRETS\n"
        "opened = SECRETS.open()\n"
        "print(opened.environment, *(opened[name].reveal() for name in sorted(opened)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"SECRET_KEY_FILE": "demo.key", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "demo demo-lines-key demo-mood-key\n"
