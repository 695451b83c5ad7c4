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
        b"",
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path: Path, text: bytes) -> None:
    """Damaged pins are no reason to trust anything: an error that says how to start anew."""
    file = tmp_path / "pins.json"
    file.write_bytes(text)
    with pytest.raises(LuggageError) as caught:
        pins.read(file)
    assert "trust on first use starts again, for every project" in str(caught.value.hint)
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
    assert "trust: not the key of environment 'demo'" in told
    checkout.refuse("encrypt", "LINES_API_KEY", "--trust", CANARY, value=b"x")
    done = checkout.run("encrypt", "LINES_API_KEY", "--trust", new.id, value=b"x")
    assert done.returncode == 0
    assert new.id in done.stderr
    assert checkout.run("encrypt", "LINES_API_KEY", value=b"x").stderr == ""


def test_an_epoch_that_goes_back_is_refused(checkout: Checkout) -> None:
    """An older key is an old state of the file: what that may mean, and how to go back to it."""
    old = checkout.key().public
    new = checkout.rekey(epoch=3)
    checkout.do("encrypt", "LINES_API_KEY", "--trust", new.public.id, value=b"x")
    checkout.do("remove", "LINES_API_KEY", "--required")
    checkout.change(new.public.dump(), old.dump())
    checkout.change("epoch=3,", "epoch=2,")
    told = checkout.refuse("encrypt", "LINES_API_KEY", value=b"x")
    assert "(epoch 3), this is key" in told
    assert "another branch, a rotation that was undone, or an attacker's rollback" in told
    assert "to go back to the older key: python -m deploy trust demo KEYID" in told
    assert "another copy of the repository" in told
    checkout.do("trust", "demo", old.id)
    checkout.do("encrypt", "LINES_API_KEY", value=b"x")


def test_the_same_key_in_a_later_epoch_is_never_trusted(checkout: Checkout) -> None:
    """No rotation makes that: encrypt refuses it as check does, and it is never pinned."""
    checkout.change("epoch=1,", "epoch=2,")
    key_id = checkout.key().public.id
    for words in (("encrypt", "A"), ("encrypt", "A", "--trust", key_id), ("trust", "demo", key_id)):
        told = checkout.refuse(*words, value=b"x")
        assert "its epoch went on without a new key" in told
    assert "its epoch went on without a new key" in checkout.refuse("check")
    assert pins.read(checkout.pins)[PLACE].epoch == 1


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("project", ["thing", "things"])
def test_a_first_use_is_no_trust_where_the_history_knows_another(
    checkout: Checkout, committed: bool, project: str
) -> None:
    """Without a pin a rotation, or another project's name, has to be trusted by its key id."""
    checkout.commit()
    forget(checkout)
    new = checkout.key().public
    if project == "thing":
        new = checkout.rekey(epoch=2).public
    checkout.change('project="thing"', f'project="{project}"')
    if committed:
        checkout.commit()
        checkout.commit("later")
    told = checkout.refuse("encrypt", "LINES_API_KEY", value=CANARY.encode())
    assert "you never sealed to it" in told
    assert "python -m deploy trust demo KEYID" in told
    assert not checkout.pins.exists()
    checkout.do("encrypt", "LINES_API_KEY", "--trust", new.id, value=b"x")
    checkout.do("encrypt", "LINES_API_KEY", value=b"x")


def test_a_rotation_is_trusted_without_sealing(checkout: Checkout) -> None:
    """So that a hook that runs `check` lets a colleague commit; without KEYID it shows both."""
    old = checkout.key().public
    new = checkout.rekey(epoch=2).public
    assert "python -m deploy trust demo KEYID" in checkout.refuse("check")
    shown = f"trusted: key {old.id} epoch 1\nhere:    key {new.id} epoch 2\n"
    assert checkout.do("trust", "demo") == shown
    assert "trust: not the key of environment" in checkout.refuse("trust", "demo", old.id)
    assert pins.read(checkout.pins)[PLACE] == Pin(old.dump(), 1)
    checkout.do("trust", "demo", new.id)
    assert pins.read(checkout.pins)[PLACE] == Pin(new.dump(), 2)
    assert "not the public key" not in checkout.refuse("check")
    assert "no such environment" in checkout.refuse("trust", "prod")
    forget(checkout)
    assert checkout.do("trust", "demo").startswith("trusted: none yet\n")


def test_a_key_id_may_look_like_an_option(checkout: Checkout) -> None:
    """One key id in 64 starts with '-'."""
    new = keys.generate().public
    while not new.id.startswith("-"):
        new = keys.generate().public
    checkout.change(checkout.key().public.dump(), new.dump())
    checkout.change("epoch=1,", "epoch=2,")
    checkout.do("encrypt", "LINES_API_KEY", "--trust", new.id, "--type", "text", value=b"x")
    (checkout.root / ".env").write_text("A=b\n")
    checkout.do("import-env", ".env", "--trust", new.id)
    checkout.do("trust", "demo", new.id)


def test_damaged_pins_are_one_finding_among_others(checkout: Checkout) -> None:
    """`check` goes on; its hint says what removing the file means."""
    checkout.pins.write_bytes(b"")
    told = checkout.refuse("check")
    assert "pins.json: not the pins that luggage wrote" in told
    assert "trust on first use starts again, for every project" in told
    assert "LINES_API_KEY is required" in told


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
    if not given:
        assert "you never sealed to it" in checkout.refuse("encrypt", "LINES_API_KEY", value=b"x")
    checkout.do("encrypt", "LINES_API_KEY", "--trust", new, value=b"x")


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
