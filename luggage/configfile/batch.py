"""Many values and names to drop → one change of the config module, sealed for its environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import grammar, splice, unlock, write
from luggage.configfile.model import Config
from luggage.crypto import envelope
from luggage.crypto.envelope import Context, Typed
from luggage.crypto.errors import SecretError
from luggage.errors import LuggageError, all_wrong


class ChangedError(LuggageError):
    """Names that someone else changed meanwhile; `now` has what each holds, None where it went."""

    def __init__(self, path: Path, now: Mapping[str, str | None]) -> None:
        super().__init__(
            f"{path}: changed meanwhile: {', '.join(now)}", "look at it, and run it again"
        )
        self.now = now


@dataclass(frozen=True)
class Done:
    """The names that came, were sealed anew, and went, each in order; and those that came though
    nothing requires them.
    """

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    not_required: tuple[str, ...]


def apply(
    path: Path,
    place: Context,
    values: Mapping[str, Typed],
    removed: Iterable[str] = (),
    base: Mapping[str, str | None] | None = None,
) -> Done:
    """Seal `values` for the environment of `place`, whose name does not count, drop `removed`, and
    write all of it at once; raises LuggageError, and then nothing is written.

    Where `base` is given, the sealed values that were there when they were read, no name that is
    touched may have changed since: else it is `ChangedError`.
    """
    gone = tuple(removed)
    sealed = _sealed(place, values)
    done = []

    def edit(source: bytes) -> bytes:
        config = grammar.read(source)
        _check(config, place, path)
        there = config.environments[place.environment].values
        if base is not None:
            now = config.meaning().values[place.environment]
            other = [name for name in (*sealed, *gone) if base.get(name) != now.get(name)]
            if other:
                raise ChangedError(path, {name: now.get(name) for name in other})
        new = splice.put_many(source, place.environment, sealed) if sealed else source
        for name in gone:
            new = splice.remove(new, place.environment, name)
        added = tuple(sorted(set(sealed) - set(there)))
        replaced = tuple(sorted(set(sealed) & set(there)))
        required = config.required
        extra = tuple(name for name in added if required is not None and name not in required)
        done.append(Done(added, replaced, tuple(sorted(gone)), extra))
        return new

    write.update(path, edit)
    return done[-1]


def _check(config: Config, place: Context, path: Path) -> None:
    known = place.environment in config.environments
    if not known or unlock.context(config, place.environment, place.name) != place:
        raise LuggageError(
            f"{path}: environment '{place.environment}' was changed meanwhile", "run it again"
        )


def _sealed(place: Context, values: Mapping[str, Typed]) -> dict[str, str]:
    """Every value sealed; what is not of its type is told in one LuggageError."""
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, typed in sorted(values.items()):
        context = Context(place.project, place.environment, name, place.public_key, place.epoch)
        try:
            found[name] = envelope.seal(typed.value, typed.kind, context)
        except SecretError as error:
            problems.append(error.message)
    if problems:
        raise LuggageError(all_wrong(problems))
    return found
