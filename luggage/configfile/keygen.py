"""The name of a new environment → its key file, and its public key in the config module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import keyfile, splice, unlock, write
from luggage.configfile.rotate import key_path
from luggage.crypto import names
from luggage.errors import LuggageError


@dataclass(frozen=True)
class Made:
    """A new environment: its key file and its key id."""

    path: Path
    key_id: str


def add(
    config: Path, root: Path, name: str, ignored: Callable[[Path], bool], epoch: int = 1
) -> Made:
    """Make environment `name`: the key in `root`, the public key in `config`; raises LuggageError.

    `epoch` is the one after the last, where there was an environment of that name before.

    `ignored` tells whether a file is safe from being committed. The key is on the disk before the
    config module names it, so that nothing can be sealed to a key that was lost; where the config
    module cannot be changed, no key file is left.
    """
    if not names.is_place(name):
        raise LuggageError(
            "environment: its name is not lower-case letters, digits and '-'",
            "such as: demo, staging, prod",
        )
    used = unlock.ids(splice.check_new_environment(write.read(config), name))
    path = key_path(root, name, epoch)
    with keyfile.made(path, config, ignored, lambda path: keyfile.taken(path, used)) as key:
        public_key = key.public.dump()
        write.update(config, lambda source: splice.add_environment(source, name, public_key, epoch))
    return Made(path, key.public.id)
