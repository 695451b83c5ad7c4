"""The key a value is to be sealed to → whether this user may trust it, and the pin of it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from luggage.commands import past, repository
from luggage.commands.repository import Repository, Version
from luggage.configfile import grammar, history, pins, write
from luggage.configfile.pins import Pin, Place
from luggage.crypto.envelope import Context
from luggage.errors import LuggageError

HELP = """\
Before anything is sealed, the environment's public key is compared with the one this user sealed
to before ($XDG_STATE_HOME/luggage/pins.json keeps it; the first is trusted) and with that of the
last commit. A changed one is refused: whoever put it there could read what you seal. After a
rotation that was announced, compare the key id with the announcement, and add: --trust KEYID
So it is where you have sealed to none, but the key was another one in an earlier commit.
"""
_LIKE_OPTION = re.compile(r"-[A-Za-z0-9_-]{10}")
MEANING = "whoever put it there could read what you seal, so nothing was sealed"


@dataclass(frozen=True)
class Trusted:
    """A key that may be sealed to; `remember` pins it, once something was sealed."""

    file: Path
    place: Place
    pin: Pin
    was: Pin | None
    readable: bool = True

    def remember(self) -> None:
        """Pin the key where it is new, and say so; where it cannot be kept, only say that."""
        if self.was == self.pin or not self.readable:
            return
        if _remember(self.file, self.place, self.pin):
            print(told(self.place, self.pin), file=sys.stderr)


def own(config: Path, environment: str) -> None:
    """Pin the key of `environment`, which this user has just made."""
    stated = grammar.read(write.read(config))
    there = stated.environments[environment]
    _remember(
        location(os.environ),
        Place(stated.project, environment),
        Pin(there.public_key, there.epoch),
    )


def _remember(file: Path, place: Place, pin: Pin) -> bool:
    try:
        pins.remember(file, place, pin)
    except LuggageError as error:
        print(f"warning: the public key is not pinned: {error.message}", file=sys.stderr)
        return False
    return True


def told(place: Place, pin: Pin) -> str:
    """What is said of a key that is pinned."""
    return (
        f"note: from now on, environment '{place.environment}' of project '{place.project}' is "
        f"key {pin.key_id} for you"
    )


def separated(argv: Sequence[str]) -> list[str]:
    """The words with a key id where argparse takes it: one in 64 starts with '-'."""
    words: list[str] = []
    for word in argv:
        if not _LIKE_OPTION.fullmatch(word):
            words.append(word)
        elif words and words[-1] == "--trust":
            words[-1] = f"--trust={word}"
        elif argv[0] != word and "--trust" not in argv:
            words += ["--", word]
        else:
            words.append(word)
    return words


def check_id(now: Pin, environment: str, key_id: str) -> None:
    """Refuse another key id than that of the key that stands there."""
    if key_id != now.key_id:
        raise LuggageError(
            f"trust: not the key of environment '{environment}', which is {now.key_id}",
            "compare it with the key id that was announced",
        )


def advice(was: Pin, now: Pin, environment: str) -> str:
    """What to do where `now` is not the key that this user trusts."""
    if pins.is_stretched(was, now):
        return "restore the epoch from git: a rotation makes a new key"
    trust = f"python -m deploy trust {environment} KEYID"
    if now.epoch < was.epoch:
        ask = f"git log shows what happened; to go back to the older key: {trust}"
    else:
        ask = (
            "ask whoever keeps the key whether it was rotated, by another way than the repository; "
            f"if so,\ncompare the key id with theirs, then: {trust}"
        )
    return (
        f"{ask}\nwhat you trust is kept for you and the project: another copy of the repository "
        "may be where it was pinned"
    )


def check(config: Path, context: Context, key_id: str | None = None) -> Trusted:
    """The key of `context` as one to seal to; raises LuggageError where it is not the known one.

    `key_id` is that of a new key that the user trusts.
    """
    place = Place(context.project, context.environment)
    now = Pin(context.public_key.dump(), context.epoch)
    if key_id is not None:
        check_id(now, place.environment, key_id)
    file = location(os.environ)
    try:
        was, readable = pins.read(file).get(place), True
    except OSError as error:
        print(f"warning: {file}: cannot be read: {error.strerror}", file=sys.stderr)
        was, readable = None, False
    why = pins.refusal(was, now, "you sealed to before") if was is not None else None
    if was is not None and why and (key_id is None or pins.is_stretched(was, now)):
        hint = advice(was, now, place.environment)
        raise _refused(place, why, hint.replace(" KEYID", " KEYID (or add: --trust KEYID)", 1))
    target = config.resolve()
    git = repository.readable(target.parent, os.environ)
    if git is not None:
        _check_commit(git, target, place, now)
        if was is None and key_id is None:
            _check_past(git, target, place, now)
    return Trusted(file, place, now, was, readable)


def location(environ: Mapping[str, str]) -> Path:
    """Where this user's pins lie."""
    return pins.path(environ, Path(environ.get("HOME") or "/"))


def _refused(place: Place, why: str, hint: str) -> LuggageError:
    return LuggageError(
        f"environment '{place.environment}' of project '{place.project}': {why}\n{MEANING}", hint
    )


def _check_commit(git: Repository, target: Path, place: Place, now: Pin) -> None:
    """Refuse another key than HEAD has, unless the epoch is newer: no rotation makes that, so it
    does not help to trust the key.
    """
    text = git.texts([Version("HEAD", git.path(target.name))])[0]
    known = history.past(text) if text is not None else None
    was = known.heads.get(place.environment) if known is not None else None
    if was is None or (was.epoch < now.epoch and was.public_key != now.public_key):
        return
    why = pins.refusal(was, now, "of the last commit")
    if why:
        raise _refused(
            place,
            why,
            f"git diff -- {target.name} shows it; a rotation adds 1 to the epoch, so restore the "
            "key from git,\nor, where you made the environment anew yourself, give it the next "
            "epoch",
        )


def _check_past(git: Repository, target: Path, place: Place, now: Pin) -> None:
    """Refuse to trust on first use what was another key, or another project's, in some commit."""
    for state in past.gather(git, target.name).states:
        was = state.heads.get(place.environment)
        if was is None:
            continue
        if was.public_key != now.public_key:
            why = (
                f"its public key is {now.key_id} (epoch {now.epoch}): you never sealed to it, and "
                f"in {state.name} it was key {was.key_id} (epoch {was.epoch})"
            )
        elif state.project not in ("", place.project):
            why = f"you never sealed to it, and in {state.name} its project is '{state.project}'"
        else:
            continue
        raise _refused(
            place,
            why,
            "compare the key id with whoever keeps the key, by another way than the repository; "
            f"if it is\nthe same: python -m deploy trust {place.environment} KEYID "
            "(or add: --trust KEYID)",
        )
