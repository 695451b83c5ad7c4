"""A module's source → every module that it imports, or names in a string."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

# `package.module`, `.module`, `package.module:attribute`, as namedAny and import_module take it.
_DOTTED = re.compile(r"\.*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[\w.]*)?")
_LONGEST = 200


def named(data: bytes, package: str) -> set[str]:
    """Every dotted name that may be a module: at the top level, in functions and in conditions.

    Of `from a import b`, both `a` and `a.b` are named. `package` is what a relative import starts
    from. What is no Python imports nothing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {name for node in ast.walk(tree) for name in _names(node, package)}


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute("." * node.level + (node.module or ""), package)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        if "." in text and len(text) < _LONGEST and _DOTTED.fullmatch(text):
            yield _absolute(text.partition(":")[0], package)


def _absolute(name: str, package: str) -> str:
    """`..a` in package `x.y` is `x.a`."""
    level = len(name) - len(name.lstrip("."))
    if not level:
        return name
    parts = package.split(".")
    return ".".join([*parts[: max(0, len(parts) - level + 1)], *filter(None, [name[level:]])])
