"""Make one SECRET_KEY of several key files, for a roll-out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from luggage.commands import keyed, verifying, words
from luggage.commands.deployment import Deployment, current
from luggage.configfile import bundle, grammar, keyfile, unlock, write
from luggage.crypto import Secret
from luggage.crypto.keys import Bundle
from luggage.errors import LuggageError, all_wrong
from luggage.proof import serial
from luggage.run.kernel import kin

MAIN_OK = True

EXAMPLES = """\
After a rotation, what runs now has the old config.py and its successor the new one. Both start with
a bundle of the old and the new key: config.py chooses the one that it was sealed to.

Writes one line, as a key file has, to stdout, or with --output to a new file for its owner alone.
A bundle may be given as well; its keys are taken over. To a terminal only with --show.

With a verify key, this environment starts no image and no pex whose seal was not signed by that
key, or whose serial (see `serial`) is less than the minimum. What a bundle already says is kept.

examples:
  python -m {package} bundle prod.key prod.2.key --output prod.both.key
  python -m {package} bundle prod.key prod.2.key | docker secret create SECRET_KEY -
  python -m {package} bundle prod.key --verify-key release.verify --minimum-serial 7 --output to.key
"""


def main(argv: list[str]) -> int:
    """Bundle the key files argv[1:]."""
    deployment = current()
    parser = words.Words("bundle", __doc__, EXAMPLES, deployment)
    parser.add_argument("files", metavar="KEYFILE", nargs="+", type=Path, help="such as prod.key")
    parser.add_argument("--output", metavar="FILE", type=Path, help="a new file, mode 0600")
    parser.add_argument("--show", action="store_true", help="also to a terminal")
    parser.add_argument("--verify-key", metavar="KEY", help="or a file: releases are signed")
    parser.add_argument("--minimum-serial", metavar="N", help="no older release starts (default 1)")
    parser.add_argument("--lower", action="store_true", help="even where it was higher")
    options = parser.read(argv[1:])
    release = _release(parser, options)
    if options.output is None and words.on_terminal("bundle") and not options.show:
        raise LuggageError(
            "bundle: stdout is a terminal, so the keys are not shown",
            "write them to a file: --output FILE, or add: --show",
        )
    kin.hide()
    merged = bundle.merge(_read(options.files), release)
    text = merged.bundle.dump()
    for path in options.files:
        keyed.warn_of_readers(path)
    for key_id in merged.twice:
        print(f"note: key {key_id} was given more than once: it is in it once", file=sys.stderr)
    for note in merged.notes:
        print(f"note: {note}", file=sys.stderr)
    _warn_of_environments(merged.bundle, deployment)
    _warn_of_the_serial(merged.bundle, deployment)
    if options.output is None:
        words.put_out("bundle", Secret(f"{text.reveal()}\n".encode()))
    else:
        path = options.output.absolute()
        keyfile.create(path, text, words.ignored, _taken)
        print(words.shown(path))
    return 0


def _release(parser: words.Words, options: argparse.Namespace) -> bundle.Release:
    verify_key = None
    if options.verify_key is not None:
        verify_key = verifying.key(options.verify_key, "--verify-key")
    minimum = parser.serial("--minimum-serial", options.minimum_serial)
    return bundle.Release(verify_key, minimum, options.lower)


def _read(paths: list[Path]) -> list[tuple[str, Bundle]]:
    """What each file holds; everything that is wrong is told at once."""
    found = []
    problems = []
    for path in paths:
        try:
            found.append((str(path), keyfile.read(path)))
        except LuggageError as error:
            problems.append(error)
    if problems:
        raise LuggageError(all_wrong(it.message for it in problems), problems[0].hint)
    return found


def _warn_of_environments(found: Bundle, deployment: Deployment) -> None:
    """A start with keys of two environments is refused; only the config module can tell."""
    try:
        config = grammar.read(write.read(deployment.config))
    except LuggageError:
        return
    opened = unlock.opened(config, unlock.Given("bundle", found))
    if len(opened) > 1:
        print(
            f"warning: it holds keys of the environments {' and '.join(opened)}: rename takes "
            "that, but a start with it is refused",
            file=sys.stderr,
        )


def _warn_of_the_serial(found: Bundle, deployment: Deployment) -> None:
    """A release that states none, or a lesser one than is asked for, would never start."""
    if found.minimum_serial is None:
        return
    try:
        stated = serial.find(write.read(deployment.config), str(words.shown(deployment.config)))
    except LuggageError:
        return  # packing tells
    if stated is None or stated.number < found.minimum_serial:
        print(
            f"warning: config.py states {f'serial {stated.number}' if stated else 'no serial'}, "
            f"and this key starts releases from serial {found.minimum_serial} on: "
            f"python -m {deployment.package} serial --raise",
            file=sys.stderr,
        )


def _taken(path: Path) -> LuggageError:
    return LuggageError(
        f"{path}: is there already", "a key file is never overwritten: name another"
    )
