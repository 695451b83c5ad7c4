r"""The values of an environment ⇄ a text to edit them in, and what is wrong with that text.

    sheet   = { blank | comment | secret } by lines; lines end in a line feed
    comment = white space, "#" …
    secret  = NAME [type] "=" value              as it stands; no white space at its ends
            | NAME [type] "<<" END, lines, END   the line feeds between the lines belong to it
            | NAME [type] "escaped" "=" string   a JSON string
    type    = "text" (where it is left out) | "bytes" (in base64) | "json" | "url"

What an editor may change unasked (white space at a line's end, what it cannot show) is escaped, so
that a value that nobody touched comes back byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from luggage.crypto import names, types
from luggage.crypto.envelope import MAX_VALUE, Typed
from luggage.crypto.errors import RefusalError
from luggage.crypto.secret import Secret

_SECRET = re.compile(r"([^=<]*)(=|<<)[ \t]*(.*)")
_END = re.compile(r"[A-Z][A-Z0-9_]*")
_WIDTH = 76
_HELP = """\
# Environment '{environment}' of project '{project}'. One secret:
#   NAME = value                several lines, up to one that is just END:
#   NAME type = value             NAME type <<END
# with the types text, bytes (in base64), json and url; without one it is text.
# What cannot be seen is written as a JSON string:  NAME type escaped = " a\\tb\\n"
# A secret whose lines are removed is removed. Lines such as this one are not kept.
# To change nothing after all, let the editor fail (vim: :cq) or leave the file as it is.
"""


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in a line, counted from 1; quotes nothing but names that are right."""

    line: int
    message: str


class _RefusedError(ValueError):
    """Inside this module only: why a secret cannot be read."""


def dump(project: str, environment: str, values: Mapping[str, Typed]) -> Secret:
    """The bytes of the sheet."""
    parts = [_HELP.format(project=project, environment=environment)]
    parts += [_dumped(name, typed) for name, typed in sorted(values.items())]
    return Secret("\n".join(parts).encode())


def _dumped(name: str, typed: Typed) -> str:
    head = f"{name} {typed.kind}"
    raw: bytes = typed.value.reveal()
    if typed.kind == "bytes":
        text = base64.b64encode(raw).decode()
        lines = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
        if len(lines) > 1:
            return f"{head} <<END\n" + "".join(f"{line}\n" for line in lines) + "END\n"
    else:
        text = raw.decode()
        lines = text.split("\n")
    if not text or any(line != line.rstrip() or not _shows(line) for line in lines):
        return f"{head} {'= ' if typed.kind == 'bytes' else 'escaped = '}{json.dumps(text)}\n"
    if len(lines) > 1:
        end = next(word for word in _ends() if word not in lines)
        return f"{head} <<{end}\n{text}\n{end}\n"
    if text != text.strip():
        return f"{head} escaped = {json.dumps(text)}\n"
    return f"{head} = {text}\n"


def _shows(line: str) -> bool:
    return all(c == "\t" or c.isprintable() for c in line)


def _ends() -> Iterator[str]:
    yield "END"
    number = 1
    while True:
        yield f"END_{number}"
        number += 1


def parse(sheet: Secret) -> tuple[dict[str, Typed], list[Problem]]:
    """The values of a sheet whose bytes `sheet` holds, and all that is wrong with it."""
    raw: bytes = sheet.reveal()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return {}, [Problem(raw.count(b"\n", 0, error.start) + 1, "not UTF-8")]
    if "\r" in text:
        where = text.count("\n", 0, text.index("\r")) + 1
        return {}, [Problem(where, "a carriage return: save it with the line ends of Unix")]
    return _Reader(text.split("\n")).read()


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0
        self.values: dict[str, Typed] = {}
        self.first: dict[str, int] = {}
        self.problems: list[Problem] = []

    def read(self) -> tuple[dict[str, Typed], list[Problem]]:
        while self.at < len(self.lines):
            number = self.at + 1
            line = self.lines[self.at]
            self.at += 1
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                self.secret(line, number)
            except _RefusedError as refused:
                self.problems.append(Problem(number, str(refused)))
        return self.values, self.problems

    def secret(self, line: str, number: int) -> None:
        match = _SECRET.fullmatch(line)
        if match is None:
            raise _RefusedError("neither NAME = value, nor a comment")
        # Its lines are taken in any case, so that none of them is read as another secret.
        text = self.block(match[3].rstrip()) if match[2] == "<<" else match[3]
        name, *words = match[1].split() or [""]
        if not names.is_secret(name):
            raise _RefusedError("the name is not upper-case letters, digits and '_'")
        kind = words.pop(0) if words and words[0] in types.NAMES else "text"
        escaped = words == ["escaped"] and match[2] == "=" and kind != "bytes"
        if words and not escaped:
            raise _RefusedError(f"{name}: between name and value stands no known type")
        if name in self.first:
            raise _RefusedError(f"{name} stands twice: the first is in line {self.first[name]}")
        self.first[name] = number
        value = Secret(_raw(name, kind, text, escaped=escaped, line=match[2] == "="))
        if len(value.reveal()) > MAX_VALUE:
            raise _RefusedError(f"{name}: over {MAX_VALUE:,} bytes, the most a secret holds")
        try:
            types.parse(kind, value.reveal())
        except RefusalError as refusal:
            raise _RefusedError(f"{name}: {refusal.text}") from None
        self.values[name] = Typed(kind, value)

    def block(self, end: str) -> str:
        """The lines up to one that is `end`."""
        if _END.fullmatch(end) is None:
            raise _RefusedError("behind `<<` belongs a word such as END")
        if end not in self.lines[self.at :]:
            self.at = len(self.lines)
            raise _RefusedError("no line below is the word behind `<<`, by itself")
        start, self.at = self.at, self.lines.index(end, self.at) + 1
        return "\n".join(self.lines[start : self.at - 1])


def _raw(name: str, kind: str, text: str, *, escaped: bool, line: bool) -> bytes:
    """The bytes that the text behind `=`, or the lines of a block, mean."""
    if line and text != text.rstrip():
        raise _RefusedError(f"{name}: ends in white space: remove it, or write it escaped")
    if escaped:
        return _unescaped(name, text)
    if kind == "bytes":
        return _decoded(name, text, line=line)
    if not text:
        raise _RefusedError(f'{name}: no value: an empty one is written  {name} escaped = ""')
    return text.encode()


def _unescaped(name: str, text: str) -> bytes:
    try:
        value = json.loads(text)
        if isinstance(value, str):
            return value.encode()
    except (ValueError, RecursionError):
        pass
    raise _RefusedError(f"{name}: behind `escaped =` belongs one JSON string")


def _decoded(name: str, text: str, *, line: bool) -> bytes:
    if text == '""' and line:
        return b""
    bare = text if line else "".join(part.strip() for part in text.split("\n"))
    try:
        data = base64.b64decode(bare.encode("ascii"), validate=True)
        if bare and base64.b64encode(data).decode() == bare:
            return data
    except (UnicodeEncodeError, binascii.Error):
        pass
    raise _RefusedError(f"{name}: not base64")
