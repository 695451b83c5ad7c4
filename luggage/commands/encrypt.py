"""Seal a secret into config.py; needs no key."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import BinaryIO

from luggage.commands import pinning, words
from luggage.commands.deployment import Deployment, current
from luggage.configfile import seal
from luggage.crypto import Secret, names, types
from luggage.crypto.envelope import MAX_VALUE
from luggage.errors import LuggageError, UsageError

MAIN_OK = True

EXAMPLES = """\
The value is asked for, unseen and twice, where stdin is a terminal; else it is stdin, or the file
that --file names. It is never an argument: those stay in the shell's history, and every user of the
machine can see them.

From stdin and from a file exactly one line end (\\n or \\r\\n) at the end of the value is taken
off, except with --type bytes, which keeps every byte. An empty value is refused; so is one over
65,536 bytes.

{trust}

types:
  text   UTF-8 text (the default); bytes   anything; json   one JSON value; url   a URL

examples:
  python -m {package} encrypt LINES_API_KEY
  python -m {package} encrypt TLS_KEY --env prod --type bytes --file tls.der
  pass show lines | python -m {package} encrypt LINES_API_KEY
"""
# A terminal's line holds 4,095 bytes; what is longer is cut without a word.
_MAX_TYPED = 4094


def main(argv: list[str], config: Path | None = None) -> int:
    """Seal the value given by prompt or stdin as argv[1], in `config` or the deployment's own."""
    deployment = current()
    options = _options(argv[1:], deployment)
    path = config or deployment.config
    place = seal.place(path, options.name, options.env)
    trusted = pinning.check(path, place, options.trust)
    value = _value(options, place.environment)
    put = seal.put(path, place, value, options.type)
    print(
        f"{words.shown(path)}: {options.name} {'replaced' if put.replaced else 'added'} "
        f"for {place.environment}"
    )
    trusted.remember()
    if not put.required:
        print(
            f"note: {options.name} is not in `required`: a start without it is no error",
            file=sys.stderr,
        )
    return 0


def _options(argv: list[str], deployment: Deployment) -> argparse.Namespace:
    parser = words.Words("encrypt", __doc__, EXAMPLES.replace("{trust}", pinning.HELP), deployment)
    parser.add_argument("name", metavar="NAME", help="such as LINES_API_KEY: A-Z, 0-9 and _")
    parser.add_argument("--env", metavar="E", help="the environment, where there are several")
    parser.add_argument("--file", metavar="F", type=Path, help="the file that holds the value")
    parser.add_argument("--type", default="text", help="text, bytes, json or url (default: text)")
    parser.add_argument("--trust", metavar="KEYID", help="the environment's new key, once compared")
    options, extra = parser.parse_known_args(pinning.separated(argv))
    if extra:
        raise UsageError(
            "encrypt: the value must not be on the command line; nothing was written",
            "if it was the value, it is in the shell's history now and was visible to others: "
            "consider it leaked,\nget a new one, and give that one unseen: "
            f"python -m {deployment.package} encrypt NAME",
        )
    if not names.is_secret(options.name):
        raise UsageError(
            "encrypt: the first argument is not the name of a secret",
            f"A-Z, 0-9 and _, such as: python -m {deployment.package} encrypt LINES_API_KEY",
        )
    if options.type not in types.NAMES:
        raise UsageError("--type: unknown", f"one of: {', '.join(types.NAMES)}")
    return options


def _value(options: argparse.Namespace, environment: str) -> Secret:
    if options.file is not None:
        return _from_file(options.file, options.type)
    if sys.stdin is not None and sys.stdin.isatty():
        return _typed(options.name, environment)
    return _read(sys.stdin.buffer if sys.stdin is not None else None, options.type, "stdin")


def _from_file(path: Path, kind: str) -> Secret:
    try:
        with path.open("rb") as file:
            return _read(file, kind, "the file")
    except OSError as error:
        why = error.strerror
    # The path is not shown: it may be a value put there by mistake.
    raise LuggageError(f"--file: cannot be read: {why}", "it names the file that holds the value")


def _typed(name: str, environment: str) -> Secret:
    """Ask twice: nobody sees a typing error in a sealed value."""
    try:
        value = Secret(os.fsencode(getpass.getpass(f"{name} for {environment}: ")))
        again = Secret(os.fsencode(getpass.getpass("the same again: ")))
    except (EOFError, UnicodeError):
        value = again = Secret(b"")
    if not value.reveal():
        raise LuggageError("encrypt: no value was given")
    if len(value.reveal()) > _MAX_TYPED:
        raise LuggageError("encrypt: too long for a terminal's line", "give it by --file FILE")
    if value.reveal() != again.reveal():
        raise LuggageError("encrypt: the two values differ", "run it again")
    return value


def _read(source: BinaryIO | None, kind: str, subject: str) -> Secret:
    raw = Secret(source.read(MAX_VALUE + 3) if source is not None else b"")
    value = raw if kind == "bytes" else Secret(_without_line_end(raw.reveal()))
    if not value.reveal():
        raise LuggageError(f"encrypt: {subject} is empty, and an empty value is refused")
    if len(value.reveal()) > MAX_VALUE:
        raise LuggageError(
            f"encrypt: the value is over {MAX_VALUE:,} bytes, the most a secret holds"
        )
    if kind != "bytes" and b"\0" in value.reveal():
        raise LuggageError(
            "encrypt: the value has a NUL byte, so it is no text", "add: --type bytes"
        )
    return value


def _without_line_end(raw: bytes) -> bytes:
    return raw[:-2] if raw.endswith(b"\r\n") else raw.removesuffix(b"\n")
