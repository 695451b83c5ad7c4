"""The bytes of a Python module → its tree, in UTF-8 and with plain line ends."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings

from luggage.errors import LuggageError

NAME = "SECRETS"
MAX_BYTES = 16 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
_MARKER = re.compile(rb"^<{7} ", re.MULTILINE)
_HINT = "docs/format.md §4 says how SECRETS is written"


class ConfigError(LuggageError):
    """A config module that does not follow the grammar; `line` counts from 1."""

    def __init__(self, message: str, line: int = 0, hint: str | None = None) -> None:
        where = f"line {line}: " if line else ""
        super().__init__(f"config.py: {where}{message}", hint or _HINT)
        self.line = line


def parse(source: bytes) -> ast.Module:
    """The tree of a module in UTF-8; raises ConfigError, which quotes nothing of it."""
    _check_text(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix(BOM).decode("utf-8"))
    except SyntaxError as error:
        line = error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        line = 0
    marker = _MARKER.search(source)
    if marker:
        raise ConfigError(
            "merge conflict markers: settle them",
            source.count(b"\n", 0, marker.start()) + 1,
            "python -m deploy git-setup: then git merges config.py by itself, secret by secret",
        )
    raise ConfigError(
        "not valid Python",
        line,
        "what is wrong: cd to its folder; python -m py_compile config.py",
    )


def _check_text(source: bytes) -> None:
    if len(source) > MAX_BYTES:
        raise ConfigError("larger than 16 MiB")
    try:
        source.decode("utf-8")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except (UnicodeDecodeError, SyntaxError):
        encoding = ""
    if encoding.lower() not in ("utf-8", "utf-8-sig", "utf8"):
        raise ConfigError("not UTF-8, or declares another encoding than `utf-8`")
    lone = re.search(rb"\r(?!\n)", source)
    if lone:
        line = source.count(b"\n", 0, lone.start()) + 1
        raise ConfigError("a carriage return without a line feed", line)


def bound(node: ast.AST) -> set[str | None]:
    """The names that `node` itself binds, deletes or makes global; a star import may bind any."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            return {name}
        case ast.Global(names=found) | ast.Nonlocal(names=found):
            return set(found)
        case ast.alias(name=name, asname=alias):
            return {NAME if name == "*" else alias or name.partition(".")[0]}
        case (
            ast.FunctionDef(name=bound_name)
            | ast.AsyncFunctionDef(name=bound_name)
            | ast.ClassDef(name=bound_name)
            | ast.ExceptHandler(name=bound_name)
            | ast.MatchAs(name=bound_name)
            | ast.MatchStar(name=bound_name)
            | ast.MatchMapping(rest=bound_name)
        ):
            return {bound_name}
    # Type parameters, whose classes Python 3.11 does not have.
    type_parameter = type(node).__name__ in ("TypeVar", "TypeVarTuple", "ParamSpec")
    return {getattr(node, "name", None)} if type_parameter else set()
