"""Three versions of a config module → three that agree on SECRETS, for a text merge of the rest.

Where ours, theirs and their base state the same secrets in the same lines, a merge of the text has
nothing left to do there; what it makes of the rest is proved to state what was wanted.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from luggage.configfile import edits, grammar, splice, threeway
from luggage.configfile.edits import Cut
from luggage.configfile.model import Meaning
from luggage.configfile.module import NAME, ConfigError, parse
from luggage.configfile.threeway import Conflict, Merged

OURS, BASE, THEIRS = "ours", "base", "theirs"


@dataclass(frozen=True)
class Plan:
    """The three texts for the text merge, and what its result must be."""

    base: bytes
    ours: bytes
    theirs: bytes
    wanted: Meaning
    conflicts: tuple[Conflict, ...]

    def aligned(self) -> Plan:
        """The same, for texts that conflict, where a side has nothing but the base's lines of
        SECRETS in another order: all three have the other side's order then.

        Where a comment stands among entries that came and went depends on which came first; nobody
        wants to be asked about that.
        """
        base, ours, theirs = (_cut_out(text) for text in (self.base, self.ours, self.theirs))
        if sorted(theirs[1]) == sorted(base[1]):
            chosen = ours[1]
        elif sorted(ours[1]) == sorted(base[1]):
            chosen = theirs[1]
        else:
            return self
        old, mine, other = (
            b"".join([*before, *chosen, *after]) for before, _, after in (base, ours, theirs)
        )
        return replace(self, base=old, ours=mine, theirs=other)

    def proved(self, merged: bytes) -> bool:
        """Whether `merged`, of a text merge without conflicts, states what was wanted."""
        try:
            return _unordered(grammar.read(merged).meaning()) == _unordered(self.wanted)
        except ConfigError:
            return False

    def shown(self, merged: bytes) -> bool:
        """Whether the conflict markers in `merged` are where the conflicts are, and Python refuses
        them: else someone could take it for merged.
        """
        try:
            parse(merged)
        except ConfigError:
            mine, other = _sides(merged)
            return all(
                (it.only_ours or it.only_theirs)
                and _only(it.only_ours, mine, other)
                and _only(it.only_theirs, other, mine)
                for it in self.conflicts
            )
        return False


def plan(base: bytes, ours: bytes, theirs: bytes) -> Plan:
    """How to merge; raises ConfigError, naming the version that cannot be read."""
    read = [_read(*it) for it in ((base, BASE), (ours, OURS), (theirs, THEIRS))]
    merged = threeway.merge(*read)
    old, mine, other = (_settled(source, merged) for source in (base, ours, theirs))
    return Plan(old, mine, other, merged.meaning, tuple(merged.conflicts))


def whole(ours: bytes, theirs: bytes) -> bytes:
    """Both texts in one conflict, for what no smaller one shows."""
    mine, other = (text if text.endswith(b"\n") else text + b"\n" for text in (ours, theirs))
    return b"<<<<<<< ours\n" + mine + b"=======\n" + other + b">>>>>>> theirs\n"


def _read(source: bytes, version: str) -> Meaning:
    try:
        return grammar.read(source).meaning()
    except ConfigError as error:
        raise ConfigError(f"{version}: {error.message.removeprefix('config.py: ')}") from None


def _settled(source: bytes, merged: Merged) -> bytes:
    """`source` with all that is decided; what cannot be spliced is left to the text merge."""
    for name, (_, public_key, epoch) in merged.meaning.environments.items():
        environments = grammar.read(source).environments
        if name not in environments and name in merged.decided and epoch == 1:
            source = _try(splice.add_environment, source, name, public_key)
            environments = grammar.read(source).environments
        there = environments.get(name)
        if there is None or (there.public_key, there.epoch) != (public_key, epoch):
            continue
        decided = merged.decided.get(name, {})
        for secret, value in decided.items():
            if value is None and secret in there.values:
                source = _try(splice.remove, source, name, secret)
        new = {
            secret: value
            for secret, value in decided.items()
            if value is not None
            and (secret not in there.values or there.values[secret].value != value)
        }
        if new:
            source = _try(splice.put_many, source, name, new)
    return _with_required(source, merged.meaning.head[2])


def _cut_out(source: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """The lines before SECRETS, its own (nothing else stands in them), and those after."""
    lines = source.splitlines(keepends=True)
    (node,) = (
        node for node in parse(source).body if isinstance(node, ast.Assign) and NAME in _names(node)
    )
    first, last = node.lineno - 1, node.end_lineno or 0
    return lines[:first], lines[first:last], lines[last:]


def _names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def _try(edit: Callable[..., bytes], source: bytes, *words: object) -> bytes:
    try:
        return edit(source, *words)
    except ConfigError:
        return source


def _with_required(source: bytes, names: tuple[str, ...] | None) -> bytes:
    """`source` with `names` as its required ones, where they can be told apart from comments."""
    config = grammar.read(source)
    listed = config.required_at
    if listed is None or not listed.items or not names or names == config.required:
        return source
    first, last = listed.items[0], listed.items[-1]
    if b"#" in source[first.start : last.end]:
        return source
    separator = b", "
    if len(listed.items) > 1:
        separator = source[first.end : listed.items[1].start]
    new = separator.join(f'"{name}"'.encode() for name in names)
    if listed.is_tuple and len(names) == 1 and edits.comma(source, last.end) is None:
        new += b","
    return edits.apply(source, [Cut(first.start, last.end, new)])


def _unordered(meaning: Meaning) -> tuple[object, ...]:
    callee, project, required = meaning.head
    names = None if required is None else frozenset(required)
    return callee, project, names, meaning.environments, meaning.values


def _sides(merged: bytes) -> tuple[bytes, bytes]:
    """A text with conflict markers, resolved by taking all of ours, and all of theirs."""
    mine: list[bytes] = []
    other: list[bytes] = []
    where = None
    for line in merged.splitlines(keepends=True):
        if line.startswith(b"<<<<<<< ours"):
            where = mine
        elif line.startswith(b"=======") and where is mine:
            where = other
        elif line.startswith(b">>>>>>> theirs") and where is other:
            where = None
        else:
            for side in (mine, other) if where is None else (where,):
                side.append(line)
    return b"".join(mine), b"".join(other)


def _only(texts: tuple[str, ...], inside: bytes, outside: bytes) -> bool:
    return all(text.encode() in inside and text.encode() not in outside for text in texts)
