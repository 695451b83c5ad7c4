"""The text of a config module → the same with its serial raised by one."""

from __future__ import annotations

import ast

from luggage.configfile.module import BOM
from luggage.errors import LuggageError
from luggage.proof import serial
from luggage.proof.manifest import MAX_SERIAL


def raised(source: bytes, path: str) -> bytes:
    """`source` with the next serial, no other byte changed; a new one stands before SECRETS.

    Raises LuggageError about `path`.
    """
    found = serial.find(source, path)
    if found is None:
        made = _with_first(source)
        if serial.find(made, path) is None:
            raise LuggageError(f"config module '{path}': has no place for a serial", "SERIAL = 1")
        return made
    if found.number == MAX_SERIAL:
        raise LuggageError(f"config module '{path}': its serial is the highest that there is")
    return source[: found.start] + b"%d" % (found.number + 1) + source[found.end :]


def _with_first(source: bytes) -> bytes:
    mark = BOM if source.startswith(BOM) else b""
    lines = source.removeprefix(mark).splitlines(keepends=True)
    at = next((node.lineno - 1 for node in ast.parse(source).body if _is_secrets(node)), len(lines))
    while at and lines[at - 1].startswith(b"#"):
        at -= 1
    end = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    if at == len(lines) and lines and not lines[-1].endswith(b"\n"):
        lines[-1] += end
    lines.insert(at, b"SERIAL = 1" + end)
    return mark + b"".join(lines)


def _is_secrets(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "SECRETS" for target in targets)
