"""A public key that changed is not sealed to: the user's pins, and the last commit."""

from __future__ import annotations

import json
from multiprocessing import get_context
from pathlib import Path

import pytest
from checkouts import CANARY, Checkout

from luggage.configfile import pins
from luggage.configfile.pins import Pin, Place
from luggage.crypto import keys
from luggage.errors import LuggageError

PLACE = Place("thing", "demo")
PIN = Pin(keys.generate().public.dump(), 1)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout with the environment `demo`, whose key this user made."""
    made = Checkout(tmp_path)
    made.do("keygen", "demo")
    return made


def forget(checkout: Checkout) -> None:
    checkout.pins.unlink()


def test_the_file_is_small_json_for_its_owner_alone(tmp_path: Path) -> None:
    """Mode 0600 in a folder 0700, and what was written is what is read."""
    file = pins.path({"XDG_STATE_HOME": str(tmp_path / "state")}, tmp_path)
    assert file == tmp_path / "state/luggage/pins.json"
    assert pins.read(file) == {}
    pins.remember(file, PLACE, PIN)
    pins.remember(file, Place("thing", "prod"), PIN)
    assert pins.read(file) == {PLACE: PIN, Place("thing", "prod"): PIN}
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert json.loads(file.read_text()) == {
        "format": "luggage-pins-v1",
        "pins": {
            "thing": {name: {"epoch": 1, "public_key": PIN.public_key} for name in ("demo", "prod")}
        },
    }
    assert [file] == list(file.parent.iterdir())


@pytest.mark.parametrize("given", [{}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "state"}])
def test_without_an_absolute_state_folder_it_is_the_usual_one(given: dict[str, str]) -> None:
    """A relative $XDG_STATE_HOME is ignored, as its specification says."""
    assert Path("/h/.local/state/luggage/pins.json") == pins.path(given, Path("/h"))


def _remember(file: Path, number: int) -> None:
    pins.remember(file, Place("thing", f"e{number}"), PIN)


def test_two_processes_that_pin_at_once_both_do(tmp_path: Path) -> None:
    """No pin is lost, even where both make the file."""
    file = tmp_path / "state" / "pins.json"
    context = get_context("fork")
    started = [context.Process(target=_remember, args=(file, number)) for number in range(8)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert len(pins.read(file)) == 8


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"format": "luggage-pins-v2", "pins": {}}',
        b'{"format": "luggage-pins-v1", "pins": {"a": {"b": {"public_key": "x", "epoch": 1}}}}',
        b'{"format": "luggage-pins-v1", "pins": {"a": 1}}',
        b'{"format": "luggage-pins-v1", "pins": {}, "more": 1}',
        b"\xff",
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, text: bytes) -> None:
    """Damaged pins are no reason to trust anything: an error that says how to start anew."""
    file = tmp_path / "pins.json"
    file.write_bytes(text)
    with pytest.raises(LuggageError) as caught:
        pins.read(file)
    assert "move it away" in str(caught.value.hint)
    with pytest.raises(LuggageError):
        pins.remember(file, PLACE, PIN)
    assert text == file.read_bytes()


def test_who_made_the_key_is_told_nothing(checkout: Checkout) -> None:
    """keygen pins the key; the first encrypt after it has nothing to say."""
    assert pins.read(checkout.pins) == {PLACE: Pin(checkout.key().public.dump(), 1)}
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_key_seen_is_pinned_with_a_note(checkout: Checkout) -> None:
    """Trust on first use: one note on stderr, and silence from then on."""
    forget(checkout)
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x")
    assert done.returncode == 0
    assert f"demo' of project 'thing' is key {checkout.key().public.id} for you" in done.stderr
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_not_sealed_pins_nothing(checkout: Checkout) -> None:
    """A refused value is no first use."""
    forget(checkout)
    checkout.refuse("encrypt", "LINES_API_KEY", value=b"")
    assert not checkout.pins.exists()


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_changed_key_is_refused_before_anything_is_sealed(checkout: Checkout, epoch: int) -> None:
    """Both key ids and epochs are named, what it means, and the way on."""
    old = checkout.key().public.id
    new = checkout.rekey(epoch=epoch).public.id
    told = checkout.refuse("encrypt", "LINES_API_KEY", value=CANARY.encode())
    assert f"that was key {old} (epoch 1), this is key {new} (epoch {epoch})" in told
    assert "could read what you seal" in told
    assert "--trust KEYID" in told


def test_an_announced_rotation_is_trusted_by_its_key_id(checkout: Checkout) -> None:
    """--trust takes exactly the id of the key that stands there, and pins it."""
    new = checkout.rekey(epoch=2).public
    old = keys.parse_public(PIN.public_key).id
    told = checkout.refuse("encrypt", "LINES_API_KEY", "--trust", old, value=b"x")
    assert "--trust: not the key of environment 'demo'" in told
    checkout.refuse("encrypt", "LINES_API_KEY", "--trust", CANARY, value=b"x")
    done = checkout.run("encrypt", "LINES_API_KEY", "--trust", new.id, value=b"x")
    assert done.returncode == 0
    assert new.id in done.stderr
    assert checkout.run("encrypt", "LINES_API_KEY", value=b"x").stderr == ""


def test_an_epoch_that_goes_back_is_refused(checkout: Checkout) -> None:
    """The same key in an older epoch is an old state of the file."""
    checkout.change("epoch=1,", "epoch=3,")
    checkout.do("encrypt", "LINES_API_KEY", value=b"x")
    checkout.change("epoch=3,", "epoch=2,")
    assert "(epoch 3), this is key" in checkout.refuse("encrypt", "LINES_API_KEY", value=b"x")


@pytest.mark.parametrize("words", [(), ("--trust",)])
def test_another_key_than_the_last_commits_is_refused(
    checkout: Checkout, words: tuple[str, ...]
) -> None:
    """In the same epoch no rotation made it, so not even --trust goes on; a new epoch may."""
    checkout.commit()
    forget(checkout)
    new = checkout.rekey().public.id
    given = (*words, new) if words else ()
    told = checkout.refuse("encrypt", "LINES_API_KEY", *given, value=CANARY.encode())
    assert "not the public key of the last commit" in told
    checkout.change("epoch=1,", "epoch=2,")
    checkout.do("encrypt", "LINES_API_KEY", *given, value=b"x")


def test_where_the_pins_cannot_be_kept_it_goes_on(checkout: Checkout) -> None:
    """A home that cannot be written (a file stands in the way): a warning, and it is sealed."""
    forget(checkout)
    blocked = checkout.home / "blocked"
    blocked.write_text("")
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x", XDG_STATE_HOME=str(blocked))
    assert done.returncode == 0
    assert "warning: the public key is not pinned" in done.stderr
    assert "LINES_API_KEY" in checkout.opened()


def test_where_the_pins_cannot_be_read_it_goes_on(checkout: Checkout) -> None:
    """What cannot be read cannot be compared: a warning, and the file is left alone."""
    checkout.pins.unlink()
    checkout.pins.mkdir()
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x")
    assert done.returncode == 0
    assert "pins.json: cannot be read" in done.stderr
    assert not any(checkout.pins.iterdir())


def test_a_repository_that_git_will_not_read_is_no_obstacle(checkout: Checkout) -> None:
    """Such as one of another user: a warning, and the pins count; `check` makes it an error."""
    (checkout.root / ".git" / "config").write_text("[broken\n")
    for words in (("encrypt", "LINES_API_KEY"), ("secrets",)):
        done = checkout.run(*words, value=b"x")
        assert done.returncode == 0
        assert "warning: git is not asked: git rev-parse: failed" in done.stderr
    assert "git rev-parse: failed" in checkout.refuse("check")


def test_no_git_is_no_obstacle(checkout: Checkout) -> None:
    """Without git the last commit is not asked; the pins are."""
    done = checkout.run("encrypt", "LINES_API_KEY", value=b"x", PATH="/nonexistent")
    assert done.returncode == 0
    assert "LINES_API_KEY" in checkout.opened()
