"""The key a value is to be sealed to → whether this user may trust it, and the pin of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from luggage.commands import repository
from luggage.commands.repository import Version
from luggage.configfile import grammar, history, pins, write
from luggage.configfile.pins import Pin, Place
from luggage.crypto.envelope import Context
from luggage.errors import LuggageError

HELP = """\
Before anything is sealed, the environment's public key is compared with the one this user sealed
to before ($XDG_STATE_HOME/luggage/pins.json keeps it; the first is trusted) and with that of the
last commit. A changed one is refused: whoever put it there could read what you seal. After a
rotation that was announced, compare the key id with the announcement, and add: --trust KEYID
"""
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
            print(
                f"note: from now on, environment '{self.place.environment}' of project "
                f"'{self.place.project}' is key {self.pin.key_id} for you",
                file=sys.stderr,
            )


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


def check(config: Path, context: Context, key_id: str | None = None) -> Trusted:
    """The key of `context` as one to seal to; raises LuggageError where it is not the known one.

    `key_id` is that of a new key that the user trusts.
    """
    place = Place(context.project, context.environment)
    now = Pin(context.public_key.dump(), context.epoch)
    if key_id is not None and key_id != now.key_id:
        raise LuggageError(
            f"--trust: not the key of environment '{place.environment}', which is {now.key_id}",
            "compare it with the key id that was announced",
        )
    file = location(os.environ)
    try:
        was, readable = pins.read(file).get(place), True
    except OSError as error:
        print(f"warning: {file}: cannot be read: {error.strerror}", file=sys.stderr)
        was, readable = None, False
    why = pins.refusal(was, now, place, "you sealed to before") if was and key_id is None else None
    if why:
        raise LuggageError(
            f"{why}\n{MEANING}",
            "ask whoever keeps the key whether it was rotated, by another way than the repository; "
            "if so,\ncompare the key id with theirs, and add: --trust KEYID",
        )
    _check_commit(config, place, now)
    return Trusted(file, place, now, was, readable)


def location(environ: Mapping[str, str]) -> Path:
    """Where this user's pins lie."""
    return pins.path(environ, Path(environ.get("HOME") or "/"))


def _check_commit(config: Path, place: Place, now: Pin) -> None:
    """Refuse another key than HEAD has, unless the epoch is newer: no rotation makes that, so it
    does not help to trust the key.
    """
    target = config.resolve()
    git = repository.readable(target.parent, os.environ)
    text = git.texts([Version("HEAD", git.path(target.name))])[0] if git is not None else None
    known = history.past(text) if text is not None else None
    was = known.heads.get(place.environment) if known is not None else None
    if was is None or was.epoch < now.epoch:
        return
    why = pins.refusal(was, now, place, "of the last commit")
    if why:
        raise LuggageError(
            f"{why}\n{MEANING}",
            f"git diff -- {config.name} shows it; a rotation adds 1 to the epoch, so restore the "
            "key from git,\nor, where you made the environment anew yourself, give it the next "
            "epoch",
        )
