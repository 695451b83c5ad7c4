"""`import-env`: what a .env file holds, read without guessing, sealed in one write."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import CANARY, Checkout

from luggage.configfile import dotenv
from luggage.crypto import Secret


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("master"))
    made.do("keygen", "demo")
    made.do("encrypt", "MOOD_API_KEY", value=b"old")
    made.commit()
    return made


@pytest.fixture
def checkout(tmp_path: Path, master: Checkout) -> Checkout:
    """One value sealed, of the two that are required."""
    return Checkout(tmp_path, master)


def read(text: bytes) -> dict[str, str]:
    entries, problems = dotenv.parse(Secret(text))
    assert not problems
    return {entry.name: entry.value.reveal().decode() for entry in entries}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"A=b", "b"),
        (b"A = b \t\n", "b"),
        (b"\xef\xbb\xbfA=b\r\n", "b"),
        (b"  export A=b c\n", "b c"),
        (b"A=b # why\n", "b"),
        (b"A=p\xc3\xa4ss=\n", "päss="),
        (b"A=b$\n", "b$"),
        (b"A='b'\n", "b"),
        (b"A='$b \\n # \" `x` '   # why\n", '$b \\n # " `x` '),
        (b"A='x\r\ny\n'\n", "x\ny\n"),
        (b'A="b"# \n', None),
        (b'A="b" #\n', "b"),
        (b'A="a\\nb\\t\\r\\\\ \\" \\$x"\n', 'a\nb\t\r\\ " $x'),
        (b'A="x\ny # z\n"', "x\ny # z\n"),
        (b'A="it\'s"', "it's"),
        (b"# c\n\n \t\nA=b\n#", "b"),
    ],
)
def test_what_tools_agree_on_is_read(text: bytes, value: str | None) -> None:
    """Comments, export, quotes, escapes, several lines, a byte order mark, CRLF."""
    if value is None:
        assert dotenv.parse(Secret(text))[1]
    else:
        assert {"A": value} == read(text)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (b"A=1\nA=2\n", 2, "A stands twice: the first is in line 1"),
        (b"\nlower=1\n", 2, "the name is not"),
        (b"1A=1\n", 1, "the name is not"),
        (b"A.B=1\n", 1, "the name is not"),
        ("Ä=1\n".encode(), 1, "the name is not"),
        (b"A\n", 1, "not NAME=value"),
        (b"export A\n", 1, "not NAME=value"),
        (b"A: 1\n", 1, "not NAME=value"),
        (b"=1\n", 1, "not NAME=value"),
        (b"set A=1\n", 1, "not NAME=value"),
        (b"A=\n", 1, "A: no value"),
        (b"A=''\n", 1, "A: no value"),
        (b"A= # why\n", 1, "A: no value"),
        (b"A=$B\n", 1, "some tools expand"),
        (b"A=x${B}\n", 1, "some tools expand"),
        (b'A="$(x)"\n', 1, "some tools expand"),
        (b'A="`x`"\n', 1, "some tools expand"),
        (b'A="\\\\$x"\n', 1, "some tools expand"),
        (b"A=b#c\n", 1, "without quotes"),
        (b"A=b\\c\n", 1, "without quotes"),
        (b"A=b'c'\n", 1, "without quotes"),
        (b"A=`b`\n", 1, "without quotes"),
        (b"A='b'c\n", 1, "behind the closing quote"),
        (b"A='it\\'s'\n", 1, "behind the closing quote"),
        (b'A="b\\x"\n', 1, "not all tools know"),
        (b"B=1\nA='b\nC=1\n", 2, "never closed"),
        (b'A="b\\"\n', 1, "never closed"),
        (b"A=b\0c\n", 1, "NUL"),
        (b"B=1\nA=b\rc\n", 2, "carriage return"),
        (b"B=1\nA=\xff\n", 2, "not UTF-8"),
        (b"A=" + b"x" * 65_537, 1, "65,536"),
    ],
)
def test_what_tools_read_differently_is_refused(text: bytes, line: int, told: str) -> None:
    """With the line it begins in."""
    _, problems = dotenv.parse(Secret(text))
    assert [line] == [problem.line for problem in problems]
    assert told in problems[0].message


def test_a_file_is_sealed_in_one_write(checkout: Checkout) -> None:
    """New names and known ones; everything else in the module stands."""
    (checkout.root / ".env").write_text(
        f"LINES_API_KEY={CANARY}\nMOOD_API_KEY='new'\nMORE=\"a\\nb\"\n"
    )
    before = checkout.config.read_text().splitlines()
    done = checkout.run("import-env", ".env")
    assert done.stdout == (
        "depot/config.py: added for demo: LINES_API_KEY, MORE\n"
        "depot/config.py: replaced for demo: MOOD_API_KEY\n"
    )
    assert "not in `required`, so a start without is no error: MORE" in done.stderr
    assert checkout.opened() == {
        "LINES_API_KEY": ("text", CANARY.encode()),
        "MOOD_API_KEY": ("text", b"new"),
        "MORE": ("text", b"a\nb"),
    }
    after = checkout.config.read_text().splitlines()
    assert len(set(after) - set(before)) == 3
    assert len(set(before) - set(after)) == 1


def test_what_is_wrong_is_told_at_once_and_nothing_is_written(checkout: Checkout) -> None:
    """Each line by its number; no value, and no name that could be one."""
    (checkout.root / ".env").write_text(f"GOOD=x\nA=${CANARY}\n{CANARY}=1\n'{CANARY}\nB=\n")
    told = checkout.refuse("import-env", ".env")
    for line in (2, 3, 4, 5):
        assert f"error: .env: line {line}: " in told
    assert "nothing was written" in told


@pytest.mark.parametrize(
    "words",
    [
        ("nosuch",),
        (CANARY,),
        (),
        (".env", CANARY),
        (".env", "--env", CANARY),
        ("empty",),
        ("depot",),
    ],
)
def test_what_cannot_be_imported_is_refused(checkout: Checkout, words: tuple[str, ...]) -> None:
    """No file, no values, no such environment: no word is echoed."""
    (checkout.root / "empty").write_text("# nothing\n")
    (checkout.root / ".env").write_text(f"A={CANARY}\n")
    checkout.refuse("import-env", *words)


def test_a_changed_key_is_refused(checkout: Checkout) -> None:
    """It seals with the public key alone, so the pins count here as well."""
    (checkout.root / ".env").write_text(f"A={CANARY}\n")
    checkout.do("remove", "MOOD_API_KEY", "--required")
    new = checkout.rekey(epoch=2).public.id
    assert "could read what you seal" in checkout.refuse("import-env", ".env")
    checkout.do("import-env", ".env", "--trust", new)


def test_it_ends_with_what_is_to_be_done_about_the_file(checkout: Checkout) -> None:
    """Delete it; where git tracks it or had it in any branch, since when, and new values."""
    env = checkout.root / ".env"
    env.write_text(f"A={CANARY}\n")
    told = checkout.run("import-env", ".env").stderr
    assert "warning: .env holds the values in clear still" in told
    assert "no commit of this repository has a file of that name" in told
    checkout.git("add", ".env")
    assert "git tracks .env: git rm .env" in checkout.run("import-env", ".env").stderr
    since = checkout.commit()[:7]
    checkout.commit("later")
    told = checkout.run("import-env", ".env").stderr
    assert "git tracks .env" in told
    assert f"history holds .env since commit {since} of 2026-03-04" in told
    assert "Get new values from whoever issues them" in told
    checkout.git("rm", "-q", "--cached", ".env")
    checkout.git("commit", "-q", "-m", "gone")
    told = checkout.run("import-env", ".env").stderr
    assert "git tracks" not in told
    assert f"since commit {since}" in told


def test_without_git_only_the_file_is_warned_of(checkout: Checkout) -> None:
    """What cannot be asked is not claimed."""
    (checkout.root / ".env").write_text("A=b\n")
    done = checkout.run("import-env", ".env", PATH="/nonexistent")
    assert done.returncode == 0
    assert "holds the values in clear" in done.stderr
    assert "git" not in done.stderr
