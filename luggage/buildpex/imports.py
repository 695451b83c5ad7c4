"""Packed sources and checked wheels → modules that do not compile, and imports that nothing
answers.
"""

from __future__ import annotations

import ast
import sys
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from luggage.buildpex.sources import Source
from luggage.errors import LuggageError, all_wrong


def compiled(sources: Iterable[Source]) -> None:
    """Raise one LuggageError with file, line and reason of every module that does not compile.

    A pex takes it as it is, and the artifact would fail where it is first imported.
    """
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for source in sources:
            if not source.path.endswith(".py"):
                continue
            try:
                compile(source.data, source.path, "exec", dont_inherit=True)
            except SyntaxError as error:
                wrong.append(f"file '{source.path}': line {error.lineno or 1}: {error.msg}")
            except (ValueError, RecursionError, MemoryError) as error:
                wrong.append(f"file '{source.path}': {error}")
    if wrong:
        raise LuggageError(all_wrong(wrong), "mend it, or take it out of what is packed")


def unanswered(sources: Iterable[Source], entry: str, wheels: Iterable[Path]) -> dict[str, str]:
    """What is imported and is not packed, in no wheel and not Python's own: name → the file.

    Only what surely happens counts: what the modules of package `entry` itself import at their top
    level, outside every `try` and `if`. They have compiled before.
    """
    files = tuple(sources)
    folder = entry.replace(".", "/")
    known = {source.path.split("/")[0].removesuffix(".py") for source in files}
    known |= sys.stdlib_module_names | {"__main__"}
    for wheel in wheels:
        known |= set(_tops(wheel))
    found: dict[str, str] = {}
    for source in files:
        if source.path.endswith(".py") and source.path.rpartition("/")[0] == folder:
            for name in _imported(source.data):
                if name not in known:
                    found.setdefault(name, source.path)
    return found


def _imported(data: bytes) -> Iterator[str]:
    for node in ast.parse(data).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _tops(wheel: Path) -> Iterator[str]:
    """The names that a wheel brings: `_cffi_backend.cpython-313-….so` brings `_cffi_backend`."""
    with zipfile.ZipFile(wheel) as archive:
        for path in archive.namelist():
            parts = path.split("/")
            if parts[0].endswith(".data") and len(parts) > 2:
                parts = parts[2:]
            yield parts[0].split(".")[0]
