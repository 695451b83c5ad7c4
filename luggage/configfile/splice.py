"""The bytes of a config module + names and values → its new bytes, every other byte kept."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

from luggage.configfile import edits, grammar
from luggage.configfile.edits import STEP, Cut
from luggage.configfile.model import Config, Environment, Meaning, Span
from luggage.configfile.module import NAME, ConfigError, bound, parse


@dataclass(frozen=True)
class Spliced:
    """A new module, and whether the name had a value before."""

    source: bytes
    replaced: bool


def put(source: bytes, environment: str, name: str, sealed: str) -> Spliced:
    """The module with `sealed` as the value of `name` in `environment`; raises ConfigError.

    A value that stands there is replaced; a new name becomes a line of its own, in order.
    """
    replaced = name in _environment(grammar.read(source), environment).values
    return Spliced(put_many(source, environment, {name: sealed}), replaced)


def put_many(source: bytes, environment: str, sealed: Mapping[str, str]) -> bytes:
    """As `put`, with several sealed values by name."""
    config = grammar.read(source)
    place = _environment(config, environment)
    cuts = [
        edits.text(source, place.values[name], value)
        for name, value in sealed.items()
        if name in place.values
    ]
    lines = {
        name: [f'"{name}": "{value}",'.encode()]
        for name, value in sealed.items()
        if name not in place.values
    }
    wanted = config.meaning()
    wanted.values[environment].update(sealed)
    return _made(source, [*cuts, *edits.add(source, place.table, lines)], wanted)


def remove(source: bytes, environment: str, name: str, *, required: bool = False) -> bytes:
    """The module without `name` in `environment`; raises ConfigError.

    Its line goes, with the comment on it. With `required` it goes from `required` as well.
    """
    config = grammar.read(source)
    place = _environment(config, environment)
    at = _index(place, environment, name)
    spans = tuple(Span(entry.key.start, entry.end) for entry in place.table.entries)
    cuts = edits.drop(source, spans, at)
    wanted = config.meaning()
    del wanted.values[environment][name]
    if required:
        more, wanted = _not_required(source, config, wanted, name)
        cuts += more
    return _made(source, cuts, wanted)


def rename(
    source: bytes, old: str, new: str, sealed: Mapping[str, str], *, required: bool = False
) -> bytes:
    """The module with `old` named `new`; `sealed` has the new value of each environment.

    A line that belongs elsewhere now is moved there, with the comment on it. With `required` the
    name is changed in `required` as well.
    """
    config = grammar.read(source)
    wanted = config.meaning()
    cuts: list[Cut] = []
    for environment, value in sealed.items():
        place = _environment(config, environment)
        entry = place.table.entries[_index(place, environment, old)]
        if new in place.values:
            raise ConfigError(f"environment '{environment}' has '{new}' already")
        quoted = f'"{value}"'.encode()
        cuts += edits.move(source, place.table, entry, new, quoted) or [
            edits.text(source, entry.key, new),
            edits.text(source, place.values[old], value),
        ]
        del wanted.values[environment][old]
        wanted.values[environment][new] = value
    if required and config.required_at is not None and old in (config.required or ()):
        if new in (config.required or ()):
            more, wanted = _not_required(source, config, wanted, old)
        else:
            listed = {item.value: item for item in config.required_at.items}
            more = [edits.text(source, listed[old], new)]
            wanted = _requiring(wanted, tuple(new if it == old else it for it in listed))
        cuts += more
    return _made(source, cuts, wanted)


def rekey(
    source: bytes, environment: str, public_key: str, epoch: int, values: Mapping[str, str]
) -> bytes:
    """The module with another public key and epoch of `environment`, and all its values anew."""
    config = grammar.read(source)
    place = _environment(config, environment)
    if set(values) != set(place.values):
        raise ConfigError(f"environment '{environment}' has other values than those sealed anew")
    cuts = [edits.text(source, place.values[name], value) for name, value in values.items()]
    cuts.append(edits.text(source, place.public_key_at, public_key))
    cuts.append(Cut(place.epoch_at.start, place.epoch_at.end, str(epoch).encode()))
    wanted = config.meaning()
    wanted.environments[environment] = (place.callee, public_key, epoch)
    wanted.values[environment].update(values)
    return _made(source, cuts, wanted)


def add_environment(source: bytes, name: str, public_key: str, epoch: int = 1) -> bytes:
    """The module with a new environment `name` without values; raises ConfigError."""
    config = check_new_environment(source, name)
    callee = next(
        (environment.callee for environment in config.environments.values()),
        config.callee.removesuffix("Secrets") + "Environment",
    )
    block = [
        f'"{name}": {callee}('.encode(),
        STEP + f'public_key="{public_key}",'.encode(),
        STEP + f"epoch={epoch},".encode(),
        STEP + b"values={},",
        b"),",
    ]
    wanted = config.meaning()
    wanted.environments[name] = (callee, public_key, epoch)
    wanted.values[name] = {}
    new = _made(source, edits.add(source, config.table, {name: block}), wanted)
    if "." not in callee and not _binds(source, callee):
        raise ConfigError(f"`{callee}` is not imported", hint=f"import {callee} beside Secrets")
    return new


def check_new_environment(source: bytes, name: str) -> Config:
    """What the module states; raises ConfigError where it has an environment `name` already."""
    config = grammar.read(source)
    if name in config.environments:
        raise ConfigError(f"environment '{name}' is there already", hint=_known(config))
    return config


def _known(config: Config) -> str:
    return f"environments: {', '.join(config.environments) or 'none; make one with keygen'}"


def _environment(config: Config, name: str) -> Environment:
    if name not in config.environments:
        raise ConfigError(f"there is no environment '{name}'", hint=_known(config))
    return config.environments[name]


def _index(place: Environment, environment: str, name: str) -> int:
    for at, entry in enumerate(place.table.entries):
        if entry.key.value == name:
            return at
    there = f"it has: {', '.join(place.values) or 'none'}"
    raise ConfigError(f"environment '{environment}' has no secret '{name}'", hint=there)


def _not_required(
    source: bytes, config: Config, wanted: Meaning, name: str
) -> tuple[list[Cut], Meaning]:
    """What takes `name` out of `required`, and what the module states then."""
    listed = config.required_at
    if listed is None or name not in (config.required or ()):
        return [], wanted
    at = [item.value for item in listed.items].index(name)
    spans = tuple(Span(item.start, item.end) for item in listed.items)
    to_one = listed.is_tuple and len(spans) == 2
    cuts = edits.drop(source, spans, at, keep_comma=to_one)
    last = spans[1 - at].end if to_one else 0
    if to_one and edits.comma(source, last) is None:
        cuts.append(Cut(last, last, b","))
    return cuts, _requiring(wanted, tuple(it for it in config.required or () if it != name))


def _requiring(wanted: Meaning, required: tuple[str, ...]) -> Meaning:
    callee, project, _ = wanted.head
    return replace(wanted, head=(callee, project, required))


def _made(source: bytes, cuts: list[Cut], wanted: Meaning) -> bytes:
    """The module with all cuts, once it is proved."""
    new = edits.apply(source, cuts)
    _prove(source, new, wanted)
    return new


def _prove(old: bytes, new: bytes, wanted: Meaning) -> None:
    """`new` states what was wanted, and is the same program as `old` beside that."""
    programs = [_without_secrets(parse(source)) for source in (old, new)]
    if grammar.read(new).meaning() != wanted or programs[0] != programs[1]:
        raise ConfigError("the change would touch more than its own line")


def _without_secrets(tree: ast.Module) -> list[str]:
    return [
        ast.dump(node)
        for node in tree.body
        if not (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == NAME
        )
    ]


def _binds(source: bytes, name: str) -> bool:
    return any(name in bound(node) for node in ast.walk(parse(source)))
