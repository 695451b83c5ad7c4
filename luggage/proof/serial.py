"""The text of a config module → the serial of its releases, and where it stands (docs/format.md,
§4). Standard library alone.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

from luggage.errors import LuggageError
from luggage.proof.manifest import MAX_SERIAL

NAME = "SERIAL"
_PLAIN = re.compile(r"[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class Serial:
    """A serial, and the bytes `start:end` of the source that state it."""

    number: int
    start: int
    end: int


def find(source: bytes, path: str) -> Serial | None:
    """The one `SERIAL = N` at the top level of the module, or None where nothing is called so.

    Raises LuggageError about `path` where it is written in another way: what is computed when the
    module runs cannot be packed.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise LuggageError(f"config module '{path}': {error}", "correct it") from error
    bound = [node for node in ast.walk(tree) if _binds(node)]
    if all(_is_star(node) for node in bound):
        return None
    found = [node for node in tree.body if isinstance(node, ast.Assign)]
    stated = [node for node in found if _is_serial(node)]
    if len(bound) != 1 or len(stated) != 1:
        raise _refused(path)
    _check_encoding(source, path)
    value = stated[0].value
    text = ast.get_source_segment(source.decode("utf-8-sig"), value) or ""
    if _is_in_parentheses(stated[0]) or _PLAIN.fullmatch(text) is None or int(text) > MAX_SERIAL:
        raise _refused(path)
    lines = source.splitlines(keepends=True)
    mark = 3 if value.lineno == 1 and source.startswith(b"\xef\xbb\xbf") else 0
    start = sum(map(len, lines[: value.lineno - 1])) + value.col_offset + mark
    return Serial(int(text), start, start + len(text))


def _is_serial(node: ast.Assign) -> bool:
    (target, *more) = node.targets
    return not more and isinstance(target, ast.Name) and target.id == NAME


def _is_in_parentheses(node: ast.Assign) -> bool:
    """Whether the name or the number is; an expression is without them where it stands."""
    (target,) = node.targets
    value = node.value
    return (target.col_offset, value.end_lineno, value.end_col_offset) != (
        *(node.col_offset, node.end_lineno, node.end_col_offset),
    )


def _check_encoding(source: bytes, path: str) -> None:
    """Columns count bytes of UTF-8, whatever the source is written in; raises LuggageError."""
    try:
        source.decode("utf-8")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except (UnicodeDecodeError, SyntaxError):
        encoding = ""
    if encoding not in ("utf-8", "utf-8-sig"):
        raise LuggageError(
            f"config module '{path}': not UTF-8, or declares another encoding than `utf-8`",
            "save it as UTF-8",
        )


def _is_star(node: ast.AST) -> bool:
    """Whether the node imports nobody knows what: beside a stated serial, maybe another."""
    return isinstance(node, ast.alias) and node.name == "*"


def _binds(node: ast.AST) -> bool:
    """Whether the node gives, or takes, anything the name."""
    if isinstance(node, ast.Name):
        return node.id == NAME and not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.alias):
        return _is_star(node) or (node.asname or node.name.split(".")[0]) == NAME
    if isinstance(node, ast.Global | ast.Nonlocal):
        return NAME in node.names
    if isinstance(node, ast.arg):
        return node.arg == NAME
    return NAME in (getattr(node, "name", None), getattr(node, "rest", None))


def _refused(path: str) -> LuggageError:
    return LuggageError(
        f"config module '{path}': {NAME} is not stated once, at the top level, as a plain number",
        f"{NAME} = 1, on a line of its own; from 1 to 2^63 - 1",
    )
