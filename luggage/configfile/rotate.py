"""An environment and its key → a new key, in a file of its own, and all its values sealed anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import grammar, keyfile, splice, unlock, write
from luggage.configfile.model import Config
from luggage.configfile.unlock import Given
from luggage.crypto import envelope, names
from luggage.crypto.envelope import Context
from luggage.crypto.keys import PrivateKey
from luggage.errors import LuggageError


@dataclass(frozen=True)
class Rotated:
    """The new key's file, id and epoch, the old key's id, the names of the values, and the other
    environments that the given keys open.
    """

    path: Path
    key_id: str
    epoch: int
    old_id: str
    names: tuple[str, ...]
    others: tuple[str, ...] = ()


def rotate(
    config: Path, root: Path, environment: str, given: Given, ignored: Callable[[Path], bool]
) -> Rotated:
    """Give `environment` a new key pair and the next epoch; raises LuggageError.

    Every value is opened first. Then the new key is written to `root` and synced, the values are
    sealed anew, opened again from the new text and compared, and the config module is replaced at
    once. So whenever it stops, each value in the module opens with a key that is on the disk.
    """
    before = grammar.read(write.read(config))
    old = _old_key(before, root, environment, given)
    epoch = before.environments[environment].epoch + 1
    if not names.is_count(epoch):
        raise LuggageError(f"environment '{environment}': there is no epoch after the last one")
    unlock.values(before, environment, old)
    path = key_path(root, environment, epoch)
    with keyfile.made(
        path, config, ignored, lambda path: keyfile.taken(path, unlock.ids(before))
    ) as new:
        write.update(config, lambda source: _rekeyed(source, environment, epoch, old, new))
    after = grammar.read(write.read(config))
    there = tuple(after.environments[environment].values)
    others = tuple(name for name in unlock.opened(before, given) if name != environment)
    return Rotated(path, new.public.id, epoch, old.public.id, there, others)


def key_path(root: Path, environment: str, epoch: int) -> Path:
    """The file of an environment's key: `demo.key`, after the first rotation `demo.2.key`."""
    return root / (f"{environment}.key" if epoch == 1 else f"{environment}.{epoch}.key")


def _rekeyed(
    source: bytes, environment: str, epoch: int, old: PrivateKey, new: PrivateKey
) -> bytes:
    config = grammar.read(source)
    there = config.environments.get(environment)
    if there is None or (there.public_key, there.epoch + 1) != (old.public.dump(), epoch):
        raise LuggageError(
            f"config.py: environment '{environment}' was changed meanwhile", "run it again"
        )
    values = unlock.values(config, environment, old)
    sealed = {
        name: envelope.seal(
            it.value, it.kind, Context(config.project, environment, name, new.public, epoch)
        )
        for name, it in values.items()
    }
    result = splice.rekey(source, environment, new.public.dump(), epoch, sealed)
    again = unlock.values(grammar.read(result), environment, new)
    if set(again) != set(values) or not all(unlock.same(values[it], again[it]) for it in values):
        raise LuggageError(f"environment '{environment}': does not open to the same values")
    return result


def _old_key(config: Config, root: Path, environment: str, given: Given) -> PrivateKey:
    """The environment's present key; tells where the given one was rotated away."""
    if environment not in config.environments:
        known = ", ".join(config.environments) or "none"
        raise LuggageError("rotate: there is no such environment", f"there are: {known}")
    if environment not in unlock.opened(config, given):
        there = config.environments[environment]
        path = key_path(root, environment, there.epoch)
        if there.epoch > 1 and keyfile.key_id(path) == unlock.ids(config)[environment]:
            raise LuggageError(
                f"{given.source}: key {given.ids} does not open environment '{environment}', "
                f"which is at epoch {there.epoch}",
                f"it was rotated already, and {path} has its key: commit config.py and roll out,\n"
                "or give that key to rotate once more",
            )
    return unlock.environments(config, given, environment)[environment]
