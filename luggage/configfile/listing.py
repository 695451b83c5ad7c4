"""What a config module states + who touched its lines → a table of its secrets, without values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from luggage.configfile import check
from luggage.configfile.history import Commit
from luggage.configfile.model import Config
from luggage.crypto import keys

HEADS = ("ENVIRONMENT", "NAME", "TYPE", "KEY ID", "COMMIT", "DATE", "AUTHOR")


@dataclass(frozen=True)
class Row:
    """One secret, or a required name that has none: then `key_id` is None.

    `kind` is its type where a key was given that opens it. `commit` is None where `committed` is
    False, or unknown.
    """

    environment: str
    name: str
    required: bool
    kind: str | None
    key_id: str | None
    committed: bool | None
    commit: Commit | None


def rows(
    source: bytes,
    config: Config,
    blame: Mapping[int, Commit | None] | None,
    kinds: Mapping[tuple[str, str], str],
) -> list[Row]:
    """By environment and name; `blame` is None where git knows nothing of the module."""
    lines = check.places(source, config)
    required = set(config.required or ())
    found = []
    for environment, there in sorted(config.environments.items()):
        key_id = keys.parse_public(there.public_key).id
        for name in sorted(required | set(there.values)):
            place = environment, name
            if name not in there.values:
                found.append(Row(environment, name, True, None, None, None, None))
                continue
            commit = blame.get(lines[place]) if blame is not None else None
            committed = commit is not None if blame is not None else None
            kind = kinds.get(place)
            found.append(Row(environment, name, name in required, kind, key_id, committed, commit))
    return found


def table(found: Sequence[Row]) -> str:
    """Columns of HEADS, two spaces apart; the author is last, as only names have spaces."""
    cells = [HEADS, *(_cells(row) for row in found)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADS))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    if row.key_id is None:
        return row.environment, row.name, "-", "missing", "-", "-", "-"
    head = row.environment, row.name, row.kind or "?", row.key_id
    if row.commit is not None:
        return (*head, row.commit.hash, row.commit.date[:10], row.commit.author)
    return (*head, "?" if row.committed is None else "uncommitted", "-", "-")


def document(found: Sequence[Row]) -> list[dict[str, object]]:
    """The rows as JSON objects."""
    return [
        {
            "environment": row.environment,
            "name": row.name,
            "required": row.required,
            "missing": row.key_id is None,
            "type": row.kind,
            "key_id": row.key_id,
            "commit": None
            if row.commit is None
            else {
                "hash": row.commit.hash,
                "date": row.commit.date,
                "author": row.commit.author,
            },
        }
        for row in found
    ]
