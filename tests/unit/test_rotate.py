"""`rotate` as a user runs it: a new key, everything sealed anew, and the old key still there."""

from __future__ import annotations

from pathlib import Path

import pytest
from depots import VALUES, Checkout

from luggage.configfile import grammar, keyfile
from luggage.crypto import keys


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


def block(text: str, environment: str) -> str:
    """The lines of an environment."""
    return text[text.index(f'"{environment}": ') :].partition("\n        ),\n")[0]


def test_everything_is_sealed_anew_to_a_new_key(checkout: Checkout) -> None:
    """The same values, the next epoch, a key file for its owner alone; the rest stands."""
    before, old_key = checkout.config.read_text(), (checkout.root / "demo.key").read_bytes()
    old = grammar.read(before.encode()).environments["demo"]
    done = checkout.run("rotate", "demo", key="demo.key")
    path = checkout.root / "demo.2.key"
    assert (done.returncode, done.stdout) == (0, b"demo.2.key\n")
    assert path.stat().st_mode & 0o7777 == 0o600
    text = checkout.config.read_text()
    new = grammar.read(text.encode()).environments["demo"]
    (key,) = keyfile.read(path).keys
    assert (new.public_key, new.epoch) == (key.public.dump(), 2)
    assert not {it.value for it in old.values.values()} & {it.value for it in new.values.values()}
    assert checkout.values() == {name: dict(there) for name, there in VALUES.items()}
    assert block(before, "prod") == block(text, "prod")
    assert before.replace(block(before, "demo"), "") == text.replace(block(text, "demo"), "")
    assert (checkout.root / "demo.key").read_bytes() == old_key


def test_it_says_what_to_do_next(checkout: Checkout) -> None:
    """Every value that git's history still shows, by name, and the roll-out; no value, no key."""
    done = checkout.run("rotate", "demo", key="demo.key")
    told = done.stderr.decode()
    for name in VALUES["demo"]:
        assert f"\n  {name}\n" in told + "\n"
    assert "git's history stays readable to the old key" in told
    assert "python -m depot bundle demo.key demo.2.key --output demo.both.key" in told
    assert checkout.keys["demo"].public.id in told
    for hidden in ("canary", "lugkey1"):
        assert hidden not in told


def test_a_key_file_of_two_environments_is_not_proposed(checkout: Checkout) -> None:
    """A bundle of it could not start: the environment's own old key is asked for, by its id."""
    checkout.keep("both.key", *checkout.keys.values())
    told = checkout.run("rotate", "demo", key="both.key").stderr.decode()
    assert "python -m depot bundle OLD.key demo.2.key --output demo.both.key" in told
    assert "bundle both.key" not in told
    assert "the key given is also of prod" in told
    assert f"OLD.key is a file with the old key {checkout.keys['demo'].public.id} alone" in told


def test_a_second_rotation_counts_on(checkout: Checkout) -> None:
    """Epoch 3, demo.3.key; no key is overwritten, and the one before is needed."""
    checkout.run("rotate", "demo", key="demo.key")
    done = checkout.run("rotate", "demo", key="demo.2.key")
    assert done.stdout == b"demo.3.key\n"
    assert grammar.read(checkout.config.read_bytes()).environments["demo"].epoch == 3
    assert len(checkout.known()) == 4
    assert checkout.values()["demo"] == VALUES["demo"]


def test_the_old_key_is_in_a_bundle(checkout: Checkout) -> None:
    """A bundle that holds the environment's key serves as well, with others beside it."""
    checkout.keep("both.key", *checkout.keys.values())
    assert checkout.run("rotate", "prod", key="both.key").returncode == 0
    assert checkout.values()["prod"] == VALUES["prod"]


def test_the_colleague_who_encrypts_is_told_of_the_new_key(checkout: Checkout) -> None:
    """Who rotates may seal to the new key at once; who does not know of it is stopped."""
    checkout.run("encrypt", "FIRST", "--env", "demo", value=b"x")
    colleague = checkout.copy(checkout.root.parent / "colleague")
    checkout.run("rotate", "demo", key="demo.key")
    assert checkout.run("encrypt", "NEW", "--env", "demo", value=b"x").returncode == 0
    colleague.config.write_bytes(checkout.config.read_bytes())
    told = colleague.refuse("encrypt", "NEW", "--env", "demo", value=b"x")
    assert "--trust" in told
    assert keyfile.key_id(checkout.root / "demo.2.key") in told


def test_an_interrupted_rotation_is_explained(checkout: Checkout) -> None:
    """A key file with no value sealed to it is never overwritten; the way on is told."""
    spare = keys.generate()
    checkout.keep("demo.2.key", spare)
    told = checkout.refuse("rotate", "demo", key="demo.key")
    assert f"it has the key {spare.public.id}, to which no value" in told
    assert f"mv -n {checkout.root}/demo.2.key {checkout.root}/demo.2.spare.key" in told
    (checkout.root / "demo.2.key").write_bytes(b"")
    told = checkout.refuse("rotate", "demo", key="demo.key")
    assert "holds no whole key" in told
    assert f"rm {checkout.root}/demo.2.key" in told


@pytest.mark.parametrize(
    ("words", "key", "told"),
    [
        (("demo",), "", "no key"),
        (("demo",), "prod.key", "opens environment 'prod', not 'demo'"),
        (("canary",), "demo.key", "there are: demo, prod"),
        (("demo", "canary"), "demo.key", "cannot be read"),
        ((), "demo.key", "cannot be read"),
    ],
)
def test_without_the_environments_key_it_is_refused(
    checkout: Checkout, words: tuple[str, ...], key: str, told: str
) -> None:
    """Nothing changes, and no key file is made."""
    assert told in checkout.refuse("rotate", *words, key=key)


def test_a_value_that_does_not_open_stops_it(checkout: Checkout) -> None:
    """All of them are named, before a key is made: nothing is dropped by a rotation."""
    text = checkout.config.read_text()
    swapped = text.replace('"SITE"', '"X"', 1).replace('"BLOB"', '"SITE"', 1)
    checkout.config.write_text(swapped.replace('"X"', '"BLOB"', 1))
    told = checkout.refuse("rotate", "demo", key="demo.key")
    assert "secret 'SITE' of thing/demo: sealed for name 'BLOB'" in told
    assert "secret 'BLOB' of thing/demo: sealed for name 'SITE'" in told


def test_a_key_that_git_would_not_ignore_is_not_made(checkout: Checkout) -> None:
    """As with keygen: git is asked first."""
    (checkout.root / ".gitignore").write_text("*.key\n!demo.2.key\n")
    assert "git would not ignore it" in checkout.refuse("rotate", "demo", key="demo.key")


def test_the_last_epoch_is_the_last(checkout: Checkout) -> None:
    """The epoch has a greatest value; after it there is no rotation."""
    last = 2**63 - 1
    text = checkout.config.read_text().replace("epoch=1", f"epoch={last}", 1)
    checkout.config.write_text(text)
    assert "no epoch after" in checkout.refuse("rotate", "demo", key="demo.key")
