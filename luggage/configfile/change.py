"""A name → the config module without it, or with another name for its value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import grammar, splice, unlock, write
from luggage.configfile.model import Config
from luggage.configfile.unlock import Given
from luggage.crypto import envelope
from luggage.errors import LuggageError, all_wrong


@dataclass(frozen=True)
class Renamed:
    """The environments that were changed, those that have the old name still, and whether
    `required` was changed, and whether it names the old one still."""

    environments: tuple[str, ...]
    left: tuple[str, ...]
    required: bool
    required_left: bool


@dataclass(frozen=True)
class Removed:
    """The environment that was changed, those that have the name still, and whether `required` was
    changed."""

    environment: str
    left: tuple[str, ...]
    required: bool


def rename(path: Path, old: str, new: str, given: Given, environment: str | None) -> Renamed:
    """Name the value of `old` `new`, in `environment` or all that the keys open.

    The value is sealed anew, since the name is inside the box, and opened again before anything
    is written. `required` follows in the same write, once no environment has the old name.
    """
    done: list[Renamed] = []

    def edit(source: bytes) -> bytes:
        config = grammar.read(source)
        found = unlock.environments(config, given, environment)
        targets = _targets(config, old, new, tuple(found))
        values = {name: unlock.value(config, name, old, found[name]) for name in targets}
        sealed = {
            name: envelope.seal(it.value, it.kind, unlock.context(config, name, new))
            for name, it in values.items()
        }
        left = tuple(name for name in _having(config, old) if name not in targets)
        listed = old in (config.required or ())
        result = splice.rename(source, old, new, sealed, required=not left)
        after = grammar.read(result)
        for name, it in values.items():
            if not unlock.same(it, unlock.value(after, name, new, found[name])):
                raise LuggageError(f"secret '{new}': does not open to the same value")
        done.append(Renamed(targets, left, listed and not left, listed and bool(left)))
        return result

    write.update(path, edit)
    return done[-1]


def remove(path: Path, name: str, environment: str | None, *, required: bool) -> Removed:
    """Take `name` out of `environment`, or the only one there is; needs no key.

    A name in `required` is refused unless `required` says to take it out there as well.
    """
    done: list[Removed] = []

    def edit(source: bytes) -> bytes:
        config = grammar.read(source)
        place = _one(config, name, environment)
        listed = name in (config.required or ())
        if listed and not required:
            raise LuggageError(
                f"secret '{name}': `required` names it, so '{place}' would not start without it",
                "where the code asks for it no more, take it out of `required` as well, by adding: "
                "--required",
            )
        left = tuple(it for it in _having(config, name) if it != place)
        done.append(Removed(place, left, listed))
        return splice.remove(source, place, name, required=required)

    write.update(path, edit)
    return done[-1]


def _targets(config: Config, old: str, new: str, found: tuple[str, ...]) -> tuple[str, ...]:
    """The environments in `found` that have `old`; raises LuggageError where one has `new`."""
    targets = tuple(name for name in _having(config, old) if name in found)
    if not targets:
        these = " and ".join(f"'{name}'" for name in found)
        renamed = all(new in config.environments[name].values for name in found)
        raise LuggageError(
            f"secret '{old}': environment {these} has none of that name"
            + (f", but has '{new}'" if renamed else ""),
            "it was renamed already: nothing is left to do" if renamed else _known(config, found),
        )
    both = [name for name in targets if new in config.environments[name].values]
    if both:
        raise LuggageError(
            all_wrong(f"secret '{new}': environment '{name}' has one already" for name in both),
            f"nothing is overwritten: remove one of the two first, {old} or {new}",
        )
    return targets


def _one(config: Config, name: str, environment: str | None) -> str:
    known = ", ".join(config.environments) or "none"
    if environment is not None and environment not in config.environments:
        raise LuggageError("--env: there is no such environment", f"there are: {known}")
    having = _having(config, name)
    if environment is None and len(config.environments) > 1 and having:
        raise LuggageError(
            f"secret '{name}': there are several environments, and it is in: {', '.join(having)}",
            "add: --env ENV",
        )
    place = environment if environment is not None else next(iter(config.environments), "")
    if place not in having:
        where = f"environment '{place}' has" if environment or len(having) else "there is"
        raise LuggageError(
            f"secret '{name}': {where} none of that name",
            _known(config, (environment,) if environment else tuple(config.environments)),
        )
    return place


def _having(config: Config, name: str) -> tuple[str, ...]:
    return tuple(place for place, it in config.environments.items() if name in it.values)


def _known(config: Config, environments: tuple[str, ...]) -> str:
    return "\n".join(
        f"{name} has: {', '.join(config.environments[name].values) or 'none'}"
        for name in environments
    )
