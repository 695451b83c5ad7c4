"""The bytes of a config module + one name and value → its new bytes, every other byte kept."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from luggage.configfile import grammar, plain
from luggage.configfile.model import Config, Meaning, Table
from luggage.configfile.module import NAME, ConfigError, bound, parse

_REST_OF_LINE = re.compile(rb"[ \t\f]*(?:#[^\n]*)?\r?\n")
_INDENT = re.compile(rb"[ \t]*")
_STEP = b"    "


@dataclass(frozen=True)
class Spliced:
    """A new module, and whether the name had a value before."""

    source: bytes
    replaced: bool


def put(source: bytes, environment: str, name: str, sealed: str) -> Spliced:
    """The module with `sealed` as the value of `name` in `environment`; raises ConfigError.

    A value that stands there is replaced; a new name becomes a line of its own, in order.
    """
    config = grammar.read(source)
    if environment not in config.environments:
        raise ConfigError(f"there is no environment '{environment}'", hint=_known(config))
    place = config.environments[environment]
    old = place.values.get(name)
    if old is not None:
        quote = source[old.start : old.start + 1]
        new = _cut(source, old.start, old.end, quote + sealed.encode() + quote)
    else:
        new = _insert(source, place.table, name, [f'"{name}": "{sealed}",'.encode()])
    wanted = config.meaning()
    wanted.values[environment][name] = sealed
    _prove(source, new, wanted)
    return Spliced(new, old is not None)


def add_environment(source: bytes, name: str, public_key: str) -> bytes:
    """The module with a new environment `name` without values; raises ConfigError."""
    config = check_new_environment(source, name)
    callee = next(
        (environment.callee for environment in config.environments.values()),
        config.callee.removesuffix("Secrets") + "Environment",
    )
    block = [
        f'"{name}": {callee}('.encode(),
        _STEP + f'public_key="{public_key}",'.encode(),
        _STEP + b"epoch=1,",
        _STEP + b"values={},",
        b"),",
    ]
    new = _insert(source, config.table, name, block)
    wanted = config.meaning()
    wanted.environments[name] = (callee, public_key, 1)
    wanted.values[name] = {}
    _prove(source, new, wanted)
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


def _cut(source: bytes, start: int, end: int, new: bytes) -> bytes:
    return source[:start] + new + source[end:]


def _insert(source: bytes, table: Table, name: str, block: list[bytes]) -> bytes:
    """Put the lines of a new entry where it belongs in `table`, by the ASCII order of the names."""
    entries = table.entries
    at = next((i for i, entry in enumerate(entries) if entry.key.value > name), len(entries))
    commas = [_comma(source, entry.end) for entry in entries]
    # The last entry may have no comma: the new one goes before it, and its line is kept.
    if at and commas[at - 1] is None:
        at -= 1
    after = commas[at - 1] if at else table.opening
    assert after is not None  # noqa: S101 - only the last entry can lack its comma
    start = after + 1
    rest = _REST_OF_LINE.match(source, start)
    line_start = source.rfind(b"\n", 0, table.opening) + 1
    indent_of_line = _INDENT.match(source, line_start)
    margin = indent_of_line[0] if indent_of_line else b""
    eol = b"\r\n" if source.find(b"\r\n") >= 0 else b"\n"
    if rest is not None:
        eol = b"\r\n" if rest[0].endswith(b"\r\n") else b"\n"
        indent = _neighbour(source, table, at) or margin + _STEP
        lines = b"".join(indent + line + eol for line in block)
        return _cut(source, rest.end(), rest.end(), lines)
    if not entries:
        lines = b"".join(eol + margin + _STEP + line for line in block)
        return _cut(source, start, start, lines + eol + margin)
    inline = b"".join(
        line if line.endswith(b"(") else line + b" " for line in map(bytes.strip, block)
    )
    return _cut(source, start, start, b" " + inline.rstrip() if at else inline)


def _comma(source: bytes, end: int) -> int | None:
    """The offset of the comma after an entry that ends at `end`, or None where it is left out."""
    blank = plain.BLANK.match(source, end)
    at = blank.end() if blank else end
    return at if source[at : at + 1] == b"," else None


def _neighbour(source: bytes, table: Table, at: int) -> bytes | None:
    """The indent of the entries that begin their lines, the nearest to `at` first."""
    entries = table.entries
    for entry in (*reversed(entries[:at]), *entries[at:]):
        line_start = source.rfind(b"\n", 0, entry.key.start) + 1
        before = source[line_start : entry.key.start]
        if not before.strip(b" \t"):
            return before
    return None


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
