"""The name of a new environment → its key file, and its public key in the config module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import splice, write
from luggage.crypto import keys, names
from luggage.errors import LuggageError


@dataclass(frozen=True)
class Made:
    """A new environment: its key file and its key id."""

    path: Path
    key_id: str


def add(config: Path, root: Path, name: str, ignored: Callable[[Path], bool]) -> Made:
    """Make environment `name`: the key in `root`, the public key in `config`; raises LuggageError.

    `ignored` tells whether a file is safe from being committed. The key is on the disk before the
    config module names it, so that nothing can be sealed to a key that was lost; where the config
    module cannot be changed, no key file is left.
    """
    if not names.is_place(name):
        raise LuggageError(
            "environment: its name is not lower-case letters, digits and '-'",
            "such as: demo, staging, prod",
        )
    splice.check_new_environment(write.read(config), name)
    path = root / f"{name}.key"
    _check_place(path, ignored)
    key = keys.generate()
    try:
        write.create_private(path, f"{key.dump().reveal()}\n".encode())
    except FileExistsError:
        raise LuggageError(
            f"{path}: is there already",
            "a key is never overwritten: move it away if no environment uses it",
        ) from None
    except OSError as error:
        raise LuggageError(f"{path}: cannot be made: {error.strerror}") from error
    public_key = key.public.dump()
    try:
        write.update(config, lambda source: splice.add_environment(source, name, public_key))
    except BaseException:
        if public_key.encode() not in config.read_bytes():
            path.unlink()
        raise
    return Made(path, key.public.id)


def _check_place(path: Path, ignored: Callable[[Path], bool]) -> None:
    for folder in path.parents:
        if (folder / "__init__.py").exists():
            raise LuggageError(
                f"{path}: would lie inside the package '{folder.name}', which is shipped",
                "keep the deployment's package in a folder that is not one",
            )
    if not ignored(path):
        raise LuggageError(
            f"{path}: git would not ignore it, so the key could be committed",
            "add a line to .gitignore: *.key",
        )
