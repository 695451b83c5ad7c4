"""`secrets`: what there is, for which key, and who touched it last; no key, and no value."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from checkouts import CANARY, DAY, Checkout, spent

from luggage.configfile import history
from luggage.crypto import Secret, envelope
from luggage.crypto.envelope import Context


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("master"))
    made.do("keygen", "demo")
    made.do("keygen", "prod")
    made.do("encrypt", "LINES_API_KEY", "--env", "demo", value=CANARY.encode())
    made.do("encrypt", "EXTRA", "--env", "demo", "--type", "json", value=b"[1]")
    made.commit()
    made.do("encrypt", "LINES_API_KEY", "--env", "prod", value=CANARY.encode())
    return made


@pytest.fixture
def checkout(tmp_path: Path, master: Checkout) -> Checkout:
    """Secrets that are committed, one that is not, and required names without any."""
    return Checkout(tmp_path, master)


def test_the_table_has_a_line_for_each(checkout: Checkout) -> None:
    """Environment, name, type, key id and last commit; what is required and missing as well."""
    demo, prod = checkout.key("demo").public.id, checkout.key("prod").public.id
    commit = checkout.git("rev-parse", "HEAD")[:10]
    assert checkout.do("secrets").splitlines() == [
        "ENVIRONMENT  NAME           TYPE  KEY ID       COMMIT       DATE        AUTHOR",
        f"demo         EXTRA          ?     {demo}  {commit}   2026-03-04  Ada",
        f"demo         LINES_API_KEY  ?     {demo}  {commit}   2026-03-04  Ada",
        "demo         MOOD_API_KEY   -     missing      -            -           -",
        f"prod         LINES_API_KEY  ?     {prod}  uncommitted  -           -",
        "prod         MOOD_API_KEY   -     missing      -            -           -",
    ]


def test_what_a_key_finds_damaged_is_an_error(checkout: Checkout) -> None:
    """Two values swapped, which no check sees without the key: the reason is that of `decrypt`."""
    key = str(checkout.root / "demo.key")
    one, other = checkout.sealed()["EXTRA"], checkout.sealed()["LINES_API_KEY"]
    checkout.change(one, "swap")
    checkout.change(other, one)
    checkout.change("swap", other)
    assert checkout.run("secrets").returncode == 0
    done = checkout.run("secrets", SECRET_KEY_FILE=key)
    assert (done.returncode, done.stdout.count("damaged")) == (1, 2)
    for name in ("EXTRA", "LINES_API_KEY"):
        told = checkout.refuse("decrypt", name, SECRET_KEY_FILE=key)
        assert told.splitlines()[0] in done.stderr.splitlines()


def test_a_key_shows_the_types_of_what_it_opens(checkout: Checkout) -> None:
    """Only of its environment; what does not open is `damaged`."""
    key = str(checkout.root / "demo.key")
    one, other = checkout.sealed()["EXTRA"], checkout.sealed()["LINES_API_KEY"]
    found = json.loads(checkout.do("secrets", "--json", SECRET_KEY_FILE=key))
    assert [row["type"] for row in found] == ["json", "text", None, None, None]
    checkout.change(one, other)
    done = checkout.run("secrets", "--json", SECRET_KEY_FILE=key)
    found = json.loads(done.stdout)
    assert [row["type"] for row in found] == ["damaged", "text", None, None, None]


def test_json_has_the_members_that_help_tells(checkout: Checkout) -> None:
    """One object for each, with null where there is nothing."""
    found = json.loads(checkout.do("secrets", "--json"))
    demo = checkout.key("demo").public.id
    commit = {
        "hash": checkout.git("rev-parse", "HEAD")[:10],
        "date": DAY[:-2] + ":" + DAY[-2:],
        "author": "Ada",
    }
    assert found[0] == {
        "environment": "demo",
        "name": "EXTRA",
        "required": False,
        "missing": False,
        "type": None,
        "key_id": demo,
        "commit": commit,
    }
    assert [row["missing"] for row in found] == [False, False, True, False, True]
    assert [row["required"] for row in found] == [False, True, True, True, True]
    assert [row["commit"] is None for row in found] == [False, False, True, True, True]
    told = checkout.do("secrets", "--help")
    for member in (*found[0], *commit, "python -m depot secrets"):
        assert member in told


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"SECRET_KEY": CANARY}, "not a key"),
        ({"SECRET_KEY_FILE": "/nonexistent"}, "cannot be read"),
    ],
)
def test_a_key_that_is_none_is_only_a_note(
    checkout: Checkout, environ: dict[str, str], told: str
) -> None:
    """The list needs no key, so it stands; why there are no types is told."""
    done = checkout.run("secrets", **environ)
    assert done.returncode == 0
    assert "note: no types" in done.stderr
    assert told in done.stderr
    assert done.stdout == checkout.do("secrets")


def test_an_author_cannot_write_to_the_terminal(checkout: Checkout) -> None:
    """Whoever commits chooses the name: what cannot be printed is a question mark."""
    checkout.environ["GIT_AUTHOR_NAME"] = "Eve\x1b[2J\u202e Ü"
    checkout.commit()
    assert "Eve?[2J? Ü" in checkout.do("secrets")
    assert "\x1b" not in checkout.do("secrets", "--json")


def test_without_git_there_are_no_commits(checkout: Checkout) -> None:
    """No repository: a note. Not tracked yet: all uncommitted."""
    checkout.git("rm", "-q", "--cached", "depot/config.py")
    checkout.git("commit", "-q", "-m", "not tracked")
    assert checkout.do("secrets").count("uncommitted") == 3
    shutil.rmtree(checkout.root / ".git")
    done = checkout.run("secrets")
    assert done.returncode == 0
    assert "no git repository" in done.stderr
    assert "  ?  " in done.stdout


def test_a_module_that_breaks_the_grammar_is_refused(checkout: Checkout) -> None:
    """Nothing is listed that could not be read for certain."""
    checkout.change(checkout.sealed("prod")["LINES_API_KEY"], CANARY)
    assert "not sealed" in checkout.refuse("secrets")


def test_blame_of_either_hash_is_read() -> None:
    """Commits are told once in the porcelain; a line's text may look like a header."""
    name = b"a" * 64
    porcelain = (
        name + b" 1 1 2\nauthor Ada\nauthor-time 1772597167\nauthor-tz +0100\n\tx\n"
        + name + b" 2 2\n\t" + name + b" 9 9\n"
        + b"0" * 64 + b" 3 3 1\nauthor Not Committed Yet\n\tx\n"
    )  # fmt: skip
    ada = history.Commit("a" * 10, "2026-03-04T05:06:07+01:00", "Ada")
    assert history.blamed(porcelain) == {1: ada, 2: ada, 3: None}


@pytest.mark.parametrize(
    ("zone", "shown"),
    [(b"-0330", "1969-12-31T20:30:00-03:30"), (b"+9999", "1970-01-01T00:00:00+00:00")],
)
def test_odd_zones_are_no_traceback(zone: bytes, shown: str) -> None:
    """A commit may carry any."""
    assert shown == history.moment_of(0, zone)


def test_a_thousand_secrets_are_listed_quickly(checkout: Checkout) -> None:
    """One `git blame`, not one process a secret: under a second of processor time in all."""
    place = Context("thing", "demo", "X", checkout.key().public, 1)
    sealed = envelope.seal(Secret(b"x" * 40), "text", place)
    lines = "".join(f'                "X_{n:04}": "{sealed}",\n' for n in range(1000))
    mark = '"LINES_API_KEY": "' + checkout.sealed()["LINES_API_KEY"] + '",\n'
    checkout.change(mark, mark + lines)
    checkout.commit()
    taken = []
    for _ in range(3):
        start = spent()
        assert checkout.do("secrets").count(os.linesep) == 1006
        taken.append(spent() - start)
    assert min(taken) < 1
