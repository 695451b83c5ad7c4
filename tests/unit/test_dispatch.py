"""luggage.commands: which module a word names, and what is said where there is none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from luggage.commands import dispatch

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys\nfrom luggage import commands\nsys.exit(commands.main(sys.argv, 'shop'))\n"
GREET = '''"""Say hello.

Second paragraph.
"""
MAIN_OK = True
def main(argv):
    print("hello", argv)
    return 3
'''


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").write_text('"""The shop\'s deployment."""\n')
    (package / "__main__.py").write_text(MAIN)
    (package / "greet.py").write_text(GREET)
    (package / "config.py").write_text('"""Values."""\nimport nowhere_to_be_found\n')
    (package / "broken.py").write_text('"""Break."""\nimport nowhere_to_be_found\nMAIN_OK = True\n')
    return package


def run(shop: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shop", *words],
        cwd=shop.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )


def test_command_gets_its_words_and_gives_its_status(shop: Path) -> None:
    """A marked module is run with its own words; what it returns is the exit status."""
    done = run(shop, "greet", "a", "--b")
    assert (done.returncode, done.stdout) == (3, "hello ['greet', 'a', '--b']\n")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_alone_or_help_lists_commands(shop: Path, words: tuple[str, ...]) -> None:
    """Without a command the list is shown, a line each, and nothing has to be importable for it."""
    done = run(shop, *words)
    assert done.returncode == 0
    assert re.search(r"^  greet +Say hello\.$", done.stdout, re.MULTILINE)
    assert re.search(r"^  broken +Break\.$", done.stdout, re.MULTILINE)
    assert re.search(r"^  encrypt +\S", done.stdout, re.MULTILINE)
    assert not re.search(r"^  config ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("name", ["nosuch", "config", "__main__", "a" * 32])
def test_unknown_command_is_one_clear_error(shop: Path, name: str) -> None:
    """A word that names no command, and a module that is not one, are refused with the list."""
    done = run(shop, name)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: command '{name}': there is none\n")
    assert re.search(r"^        greet +Say hello\.$", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["../greet", "greet.py", "", "a" * 33, "lugkey1", "lugbundle1", "q z", "hé", "p@ss"]
)
def test_a_word_that_could_be_a_secret_is_not_echoed(shop: Path, name: str) -> None:
    """Only what looks like a command's name is repeated."""
    done = run(shop, name)
    assert done.returncode == 2
    assert done.stderr.startswith("error: that command: there is none\n")
    assert not name or name not in done.stderr


def listed() -> list[str]:
    """The commands of the example."""
    words = [sys.executable, "-m", "deploy"]
    page = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^  ([a-z-]+) +[A-Z]", page, re.MULTILINE)


@pytest.mark.parametrize("command", listed())
@pytest.mark.parametrize("canary", ["--canary-4f1e", "lugkey1.canary-4f1e", "canary-4f1e"])
def test_no_command_echoes_its_arguments(command: str, canary: str) -> None:
    """Any of them could be a secret put there by mistake; `bundle` alone names files."""
    if (command, canary) == ("bundle", "canary-4f1e"):
        canary = "--show=canary-4f1e"
    done = subprocess.run(
        [sys.executable, "-m", "deploy", command, *[canary] * 6],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr
    assert "canary" not in done.stdout + done.stderr


def test_import_error_inside_a_command_shows_itself(shop: Path) -> None:
    """An ImportError of a command's own is shown as what it is, not as a missing command."""
    done = run(shop, "broken")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in done.stderr
    assert "there is none" not in done.stderr


@pytest.mark.parametrize(
    ("source", "where", "error"),
    [
        (b'"""Bad."""\nMAIN_OK = True\ndef main(argv:\n', ": line 3", "SyntaxError"),
        (b"# coding: nonsense\nMAIN_OK = True\n", "", "SyntaxError: unknown encoding"),
        (b'"""\xff"""\nMAIN_OK = True\n', "", "SyntaxError"),
        (b"MAIN_OK = True\0\n", "", "null bytes"),
    ],
)
def test_a_module_that_cannot_be_read_takes_no_other_with_it(
    shop: Path, source: bytes, where: str, error: str
) -> None:
    """It is listed with its line; the others work; called, it shows its own error and its file."""
    (shop / "bad.py").write_bytes(source)
    listed = run(shop, "--help")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert re.search(rf"^  bad +\(cannot be read{where}.*\)$", listed.stdout, re.MULTILINE)
    assert run(shop, "greet").returncode == 3
    called = run(shop, "bad")
    assert called.returncode == 1
    assert error in called.stderr
    assert "<unknown>" not in called.stderr


def test_a_module_without_the_marker_may_be_anything(shop: Path) -> None:
    """What cannot be a command is not listed, whether it can be read or not."""
    (shop / "bad.py").write_text("def f(:\n")
    listed = run(shop)
    assert listed.returncode == 0
    assert not re.search(r"^  bad ", listed.stdout, re.MULTILINE)
    assert "error: command 'bad': there is none" in run(shop, "bad").stderr


def test_a_module_with_an_underscore_is_typed_with_a_hyphen(shop: Path) -> None:
    """`wave_all.py` is the command `wave-all`, listed so, and found by either spelling."""
    (shop / "wave_all.py").write_text(GREET.replace("Say hello", "Wave"))
    assert re.search(r"^  wave-all +Wave\.$", run(shop).stdout, re.MULTILINE)
    for typed in ("wave-all", "wave_all"):
        done = run(shop, typed, "a")
        assert (done.returncode, done.stdout) == (3, "hello ['wave_all', 'a']\n")
    assert "error: command 'no_such': there is none" in run(shop, "no_such").stderr


def test_own_command_goes_before_the_generic_one(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment's module of the same name wins."""
    (shop / "encrypt.py").write_text('"""My own."""\nMAIN_OK = True\n')
    monkeypatch.syspath_prepend(str(shop.parent))
    assert dispatch.find("shop")["encrypt"] == dispatch.Command("encrypt", "shop", "My own.")


def test_both_names_of_the_example_do_the_same() -> None:
    """`python -m deploy` and `python -m example_deploy` list the same commands."""
    pages = [
        subprocess.run(
            [sys.executable, "-m", name], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for name in ("deploy", "example_deploy")
    ]
    assert pages[0] == pages[1]
    for name in ("encrypt", "mkpex", "start", "gunicorn", "loop"):
        assert f"\n  {name} " in pages[0]
    for name in ("config", "wsgi"):
        assert f"\n  {name} " not in pages[0]


def test_a_reader_that_stops_early_is_no_error(shop: Path) -> None:
    """`python -m shop | head -1` ends without a traceback."""
    words = f"{sys.executable} -m shop | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=shop.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("usage: ")
