"""`bundle` as a user runs it, and what starts with a bundle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from depots import VALUES, Checkout
from test_decrypt import on_terminal

from luggage.configfile import keyfile
from luggage.crypto import Secret, keys, signing
from luggage.crypto.keys import Bundle

OPEN = """\
from depot.config import SECRETS
opened = SECRETS.open()
print(opened.environment, len(opened), opened["LINES_API_KEY"].reveal())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Two environments with values of every type."""
    return Checkout(tmp_path / "made")


def ids(text: bytes) -> list[str]:
    """The ids of the keys in a bundle's text, which is one line."""
    assert text.endswith(b"\n")
    found = keys.parse_keys(Secret(text[:-1].decode()))
    return sorted(key.public.id for key in found.keys)


def test_two_keys_become_one_line(checkout: Checkout) -> None:
    """One text on stdout, in the order that the format asks for, whatever the order given."""
    made = [keys.generate() for _ in range(3)]
    for n, key in enumerate(made):
        checkout.keep(f"{n}.key", key)
    done = checkout.run("bundle", "0.key", "1.key", "2.key")
    assert (done.returncode, done.stderr) == (0, b"")
    assert ids(done.stdout) == sorted(key.public.id for key in made)
    assert done.stdout == checkout.run("bundle", "2.key", "0.key", "1.key").stdout


def test_the_running_system_and_its_successor_both_start(checkout: Checkout) -> None:
    """One SECRET_KEY opens the config of epoch 1 and that of epoch 2; a single key only its own."""
    running = checkout.copy(checkout.root.parent / "running")
    checkout.run("rotate", "demo", key="demo.key")
    done = checkout.run("bundle", "demo.key", "demo.2.key", "--output", "demo.both.key")
    assert done.stdout == b"demo.both.key\n"
    both = checkout.root / "demo.both.key"
    for deployment, own, other in (
        (running, "demo.key", "demo.2.key"),
        (checkout, "demo.2.key", "demo.key"),
    ):
        for given, status in ((both, 0), (checkout.root / own, 0), (checkout.root / other, 1)):
            for source in ("SECRET_KEY_FILE", "SECRET_KEY"):
                value = str(given) if source == "SECRET_KEY_FILE" else given.read_text().strip()
                started = subprocess.run(
                    [sys.executable, "-c", OPEN],
                    cwd=deployment.root,
                    env=deployment.environ(**{source: value, "PYTHONIOENCODING": "utf-8"}),
                    capture_output=True,
                    check=False,
                )
                assert started.returncode == status, started.stderr
                if status == 0:
                    assert started.stdout.decode() == "demo 4 canary-pässword 🔑\n"


def test_a_file_is_new_and_private(checkout: Checkout) -> None:
    """--output makes a file for its owner alone, and never overwrites one."""
    done = checkout.run("bundle", "demo.key", "--output", "out.key")
    assert (done.returncode, done.stdout) == (0, b"out.key\n")
    path = checkout.root / "out.key"
    assert path.stat().st_mode & 0o7777 == 0o600
    assert ids(path.read_bytes()) == [checkout.keys["demo"].public.id]
    assert "never overwritten" in checkout.refuse("bundle", "prod.key", "--output", "out.key")
    assert "git would not ignore it" in checkout.refuse("bundle", "prod.key", "--output", "out")
    assert "cannot be made" in checkout.refuse("bundle", "prod.key", "--output", "no/such.key")
    told = checkout.refuse("bundle", "prod.key", "--output", "depot/out.key")
    assert "which is shipped" in told


def test_a_bundle_is_taken_over_and_a_key_given_twice_is_in_it_once(checkout: Checkout) -> None:
    """Bundles are merged with keys; what was given more than once is told."""
    other = keys.generate()
    checkout.keep("old.key", checkout.keys["demo"], other)
    done = checkout.run("bundle", "old.key", "demo.key", "demo.key", "prod.key")
    wanted = [checkout.keys["demo"], checkout.keys["prod"], other]
    assert ids(done.stdout) == sorted(key.public.id for key in wanted)
    assert f"key {checkout.keys['demo'].public.id} was given more than once" in done.stderr.decode()
    assert b"holds keys of the environments demo and prod" in done.stderr


def test_what_releases_are_checked_against_is_kept(checkout: Checkout) -> None:
    """The one verify key, and the highest minimum serial; two different ones are refused."""
    demo, other = checkout.keys["demo"], keys.generate()
    for name, key, verify, serial in (
        ("one", demo, bytes(32), 5),
        ("two", other, bytes(32), 9),
        ("three", other, b"\1" * 32, 9),
    ):
        text = Bundle((key,), verify, serial).dump().reveal()
        (checkout.root / f"{name}.key").write_text(f"{text}\n")
    done = checkout.run("bundle", "one.key", "two.key", "demo.key")
    found = keys.parse_keys(Secret(done.stdout.decode().strip()))
    assert (found.verify_key, found.minimum_serial, len(found.keys)) == (bytes(32), 9, 2)
    assert "different verify keys" in checkout.refuse("bundle", "one.key", "three.key")


def test_a_verify_key_is_taken_from_its_file_as_verify_takes_it(checkout: Checkout) -> None:
    """The text and the name of a file with it make the same bundle; what is neither is told."""
    text = signing.generate().public.dump()
    (checkout.root / "release.verify").write_text(f"{text}\n")
    given = [
        checkout.run("bundle", "demo.key", "--verify-key", it) for it in (text, "release.verify")
    ]
    assert [done.returncode for done in given] == [0, 0], given[1].stderr
    assert given[0].stdout == given[1].stdout
    told = checkout.refuse("bundle", "demo.key", "--verify-key", "none.verify")
    assert "--verify-key: neither a verify key nor a file with one: none.verify: " in told
    assert "hint: lugverify1.…, or the name of a file with it" in told


def test_eight_keys_are_the_most(checkout: Checkout) -> None:
    """As the format says; a ninth is refused."""
    for n in range(9):
        checkout.keep(f"{n}.key", keys.generate())
    eight = [f"{n}.key" for n in range(8)]
    assert len(ids(checkout.run("bundle", *eight).stdout)) == 8
    assert "at most 8" in checkout.refuse("bundle", *eight, "8.key")


def test_everything_that_is_no_key_is_told_at_once(checkout: Checkout) -> None:
    """A public key, an empty file, a cut one, one that is not there: each by its name."""
    public = checkout.keys["demo"].public.dump()
    texts = {"public": public, "empty": "", "cut": "lugkey1.canary", "odd": "ü"}
    for name, text in texts.items():
        (checkout.root / f"{name}.key").write_text(text)
    told = checkout.refuse("bundle", *(f"{name}.key" for name in texts), "none.key", "demo.key")
    for name in (*texts, "none"):
        assert f"error: {name}.key: " in told
    assert "demo.key: " not in told


def test_a_key_as_an_argument_is_refused_and_not_echoed(checkout: Checkout) -> None:
    """Who gives the key in place of its file is told that it was visible."""
    text = (checkout.root / "demo.key").read_text().strip()
    assert "consider it leaked" in checkout.refuse("bundle", text)


def test_others_who_can_read_a_key_are_a_warning(checkout: Checkout) -> None:
    """The modes of the files given are looked at."""
    assert b"warning" not in checkout.run("bundle", "demo.key").stderr
    (checkout.root / "demo.key").chmod(0o640)
    done = checkout.run("bundle", "demo.key")
    assert done.returncode == 0
    assert b"warning: demo.key: others can read this key: chmod 600 demo.key" in done.stderr


def test_a_terminal_sees_it_only_when_asked(checkout: Checkout) -> None:
    """The keys are not put on a screen unless --show says so."""
    status, shown = on_terminal(checkout, "bundle", "demo.key")
    assert status == 1
    assert "lugbundle1" not in shown
    assert "--output FILE" in shown
    status, shown = on_terminal(checkout, "bundle", "demo.key", "--show")
    assert (status, shown[:11]) == (0, "lugbundle1.")


def test_a_pipe_is_read_as_a_file_is(checkout: Checkout) -> None:
    """`bundle <(pass show prod)`: a key need never lie on the disk."""
    ours, theirs = os.pipe()
    os.write(theirs, (checkout.root / "demo.key").read_bytes())
    os.close(theirs)
    done = subprocess.run(
        [sys.executable, "-m", "depot", "bundle", f"/dev/fd/{ours}"],
        cwd=checkout.root,
        env=checkout.environ(),
        pass_fds=[ours],
        capture_output=True,
        check=False,
    )
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")
    assert ids(done.stdout) == [checkout.keys["demo"].public.id]


def test_a_bundle_of_one_is_the_key(checkout: Checkout) -> None:
    """It opens what its key opens."""
    checkout.run("bundle", "demo.key", "--output", "one.key")
    assert len(keyfile.read(checkout.root / "one.key").keys) == 1
    done = checkout.run("decrypt", "SITE", key="one.key")
    assert done.stdout == VALUES["demo"]["SITE"][1]


VERIFY = signing.VerifyKey(bytes(32))
OTHER = signing.VerifyKey(b"\1" * 32)


def bundled(checkout: Checkout, *words: str) -> Bundle:
    done = checkout.run("bundle", *words)
    assert done.returncode == 0, done.stderr
    return keys.parse_keys(Secret(done.stdout.decode().strip()))


def test_a_verify_key_and_a_minimum_serial_are_put_beside_a_key(checkout: Checkout) -> None:
    """The minimum is 1 where none is said; either can be changed later, and the rest is kept."""
    found = bundled(checkout, "demo.key", "--verify-key", VERIFY.dump())
    assert (found.verify_key, found.minimum_serial) == (VERIFY.raw, 1)
    words = ("demo.key", "--verify-key", VERIFY.dump(), "--minimum-serial", "7")
    checkout.run("bundle", *words, "--output", "seven.key")
    found = bundled(checkout, "seven.key", "--minimum-serial", "9")
    assert (found.verify_key, found.minimum_serial) == (VERIFY.raw, 9)
    done = checkout.run("bundle", "seven.key", "--verify-key", OTHER.dump())
    assert f"note: verify key {VERIFY.id} is replaced by {OTHER.id}" in done.stderr.decode()
    found = keys.parse_keys(Secret(done.stdout.decode().strip()))
    assert (found.verify_key, found.minimum_serial) == (OTHER.raw, 7)


def test_a_key_with_which_no_release_of_this_checkout_would_start_is_told(
    checkout: Checkout,
) -> None:
    """A verify key brings a minimum, and config.py has no serial at first, or a lesser one."""
    words = ("bundle", "demo.key", "--verify-key", VERIFY.dump())
    told = checkout.run(*words).stderr.decode()
    assert "warning: config.py states no serial" in told and "depot serial --raise" in told
    checkout.run("serial", "--raise")
    assert checkout.run(*words).stderr == b""
    told = checkout.run(*words, "--minimum-serial", "2").stderr.decode()
    assert "warning: config.py states serial 1" in told
    assert checkout.run("bundle", "demo.key").stderr == b""


def test_a_minimum_serial_is_not_lowered_unasked(checkout: Checkout) -> None:
    """Older releases would start again."""
    words = ("demo.key", "--verify-key", VERIFY.dump(), "--minimum-serial", "7")
    checkout.run("bundle", *words, "--output", "seven.key")
    told = checkout.refuse("bundle", "seven.key", "--minimum-serial", "6")
    assert "seven.key: the minimum serial is 7 already, and 6 is lower" in told
    found = bundled(checkout, "seven.key", "--minimum-serial", "6", "--lower")
    assert found.minimum_serial == 6


def test_what_is_no_verify_key_or_serial_is_refused(checkout: Checkout) -> None:
    """A minimum alone, a serial that is none, another kind of key: which of them is told."""
    assert "without a verify key" in checkout.refuse("bundle", "demo.key", "--minimum-serial", "7")
    for text in ("0", "-1", "x", "07", str(2**63)):
        assert "not a number" in checkout.refuse("bundle", "demo.key", f"--minimum-serial={text}")
    public = checkout.keys["demo"].public.dump()
    told = checkout.refuse("bundle", "demo.key", "--verify-key", public)
    assert "--verify-key: this is a public key, where a verify key belongs" in told
    told = checkout.refuse("bundle", "demo.key", "--verify-key", VERIFY.dump()[:-1])
    assert "--verify-key: not 59 characters long" in told
