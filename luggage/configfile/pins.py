"""The user's own memory of public keys ⇄ one small JSON file in their state folder.

A config module says which key to seal to, and whoever can write the repository can change that.
What was seen first is remembered here, outside the repository (trust on first use).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import write
from luggage.crypto import keys, names
from luggage.crypto.errors import SecretError
from luggage.errors import LuggageError

FORMAT = "luggage-pins-v1"


@dataclass(frozen=True)
class Pin:
    """The public key of an environment, as text, and its epoch."""

    public_key: str
    epoch: int

    @property
    def key_id(self) -> str:
        """The key's id."""
        return keys.parse_public(self.public_key).id


@dataclass(frozen=True)
class Place:
    """An environment of a project."""

    project: str
    environment: str


def path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the pins lie: under $XDG_STATE_HOME, or ~/.local/state where it is not set.

    A relative path there is ignored, as the XDG Base Directory Specification demands.
    """
    given = Path(environ.get("XDG_STATE_HOME", ""))
    return (given if given.is_absolute() else home / ".local/state") / "luggage" / "pins.json"


def read(file: Path) -> dict[Place, Pin]:
    """The pins in `file`, none where it is not there.

    Raises OSError where it cannot be read, and LuggageError where it is not what was written.
    """
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return _parse(text, file)


def remember(file: Path, place: Place, pin: Pin) -> None:
    """Pin `place` to `pin` from now on, all other pins kept; raises LuggageError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            write.create_private(file, _dump({}))
    except OSError as error:
        raise LuggageError(f"{file}: cannot be made: {error.strerror}") from error
    write.update(file, lambda text: _dump(_parse(text, file) | {place: pin}))


def refusal(pinned: Pin, now: Pin, known_as: str) -> str | None:
    """Why `now` is not to be sealed to, where `pinned` is what `known_as` names; None if it is."""
    if pinned == now:
        return None
    if is_stretched(pinned, now):
        return (
            f"its epoch went on without a new key: key {pinned.key_id} {known_as} had epoch "
            f"{pinned.epoch}, now it has epoch {now.epoch}"
        )
    why = (
        f"not the public key {known_as}: that was key {pinned.key_id} (epoch {pinned.epoch}), "
        f"this is key {now.key_id} (epoch {now.epoch})"
    )
    if now.epoch >= pinned.epoch:
        return why
    return (
        f"{why}, older than the one {known_as}: another branch, a rotation that was undone, or an "
        "attacker's rollback"
    )


def is_stretched(pinned: Pin, now: Pin) -> bool:
    """Whether it is the same key in a later epoch, which no rotation makes."""
    return pinned.public_key == now.public_key and pinned.epoch < now.epoch


def _dump(pins: Mapping[Place, Pin]) -> bytes:
    found: dict[str, dict[str, dict[str, str | int]]] = {}
    for place, pin in pins.items():
        entry: dict[str, str | int] = {"public_key": pin.public_key, "epoch": pin.epoch}
        found.setdefault(place.project, {})[place.environment] = entry
    document = {"format": FORMAT, "pins": found}
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _parse(text: bytes, file: Path) -> dict[Place, Pin]:
    pins = _try_parse(text)
    if pins is None:
        raise LuggageError(
            f"{file}: not the pins that luggage wrote",
            "restore it from a backup; without it trust on first use starts again, for every "
            "project:\nwhere you move it away, compare each key id with whoever keeps the key",
        )
    return pins


def _try_parse(text: bytes) -> dict[Place, Pin] | None:
    try:
        document = json.loads(text)
        if set(document) != {"format", "pins"} or document["format"] != FORMAT:
            return None
        pins = {
            Place(project, environment): Pin(**entry)
            for project, environments in document["pins"].items()
            for environment, entry in environments.items()
        }
        for place, pin in pins.items():
            keys.parse_public(pin.public_key)
            if not (names.is_place(place.project) and names.is_place(place.environment)):
                return None
            if not names.is_count(pin.epoch):
                return None
    except (ValueError, TypeError, KeyError, AttributeError, SecretError):
        return None
    return pins
