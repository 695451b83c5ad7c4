"""What a config module states of its secrets, with the places of its texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """The offset of the first byte, and that of the byte after the last."""

    start: int
    end: int


@dataclass(frozen=True)
class Literal:
    """A string literal: its value, and the offsets of its first byte and of the byte after it."""

    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Entry:
    """`key: value` in a dict; `end` is the offset after the value."""

    key: Literal
    end: int


@dataclass(frozen=True)
class Table:
    """A dict: the offset of its opening brace, and its entries in the order they are written."""

    opening: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Environment:
    """One environment as the module states it."""

    callee: str
    public_key: str
    epoch: int
    values: Mapping[str, Literal]
    table: Table
    public_key_at: Literal
    epoch_at: Span


@dataclass(frozen=True)
class Required:
    """The names in `required`, where they stand, and whether in a tuple or in a list."""

    items: tuple[Literal, ...]
    is_tuple: bool


@dataclass(frozen=True)
class Config:
    """The secrets of a config module, as its text states them."""

    callee: str
    project: str
    required: tuple[str, ...] | None
    environments: Mapping[str, Environment]
    table: Table
    required_at: Required | None

    def meaning(self) -> Meaning:
        """What it states, without places: texts that mean the same state the same."""
        return Meaning(
            (self.callee, self.project, self.required),
            {name: (it.callee, it.public_key, it.epoch) for name, it in self.environments.items()},
            {
                name: {secret: literal.value for secret, literal in it.values.items()}
                for name, it in self.environments.items()
            },
        )


@dataclass(frozen=True)
class Meaning:
    """A Config without places: what stands beside the environments, their heads, their values."""

    head: tuple[str, str, tuple[str, ...] | None]
    environments: dict[str, tuple[str, str, int]]
    values: dict[str, dict[str, str]]
