"""Trust an environment's new key, once its id was compared; seals nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from luggage.commands import pinning, words
from luggage.commands.deployment import current
from luggage.configfile import grammar, pins, write
from luggage.configfile.pins import Pin, Place
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
`encrypt` and `check` refuse a public key that is not the one you sealed to before. After a rotation
compare the new key id with the announcement, by another way than the repository, and trust it here.
Without KEYID it shows the key that you trusted, and the one that is there now.

What you trust is kept for you and the project ($XDG_STATE_HOME/luggage/pins.json), in all copies of
the repository.

examples:
  python -m {package} trust prod
  python -m {package} trust prod Z6J-VGnGZx8
"""


def main(argv: list[str], config: Path | None = None) -> int:
    """Pin the key of environment argv[1], where its id is argv[2]."""
    deployment = current()
    parser = words.Words("trust", __doc__, EXAMPLES, deployment)
    parser.add_argument("env", metavar="ENV", help="such as prod")
    parser.add_argument("key_id", metavar="KEYID", nargs="?", help="the key id that was announced")
    options = parser.read(pinning.separated(argv[1:]))
    stated = grammar.read(write.read(config or deployment.config))
    if options.env not in stated.environments:
        known = ", ".join(stated.environments) or "none"
        raise LuggageError("trust: there is no such environment", f"there are: {known}")
    there = stated.environments[options.env]
    place, now = Place(stated.project, options.env), Pin(there.public_key, there.epoch)
    file = pinning.location(os.environ)
    try:
        was = pins.read(file).get(place)
    except OSError as error:
        raise LuggageError(f"{file}: cannot be read: {error.strerror}") from error
    if options.key_id is None:
        known = f"key {was.key_id} epoch {was.epoch}" if was else "none yet"
        print(f"trusted: {known}\nhere:    key {now.key_id} epoch {now.epoch}")
        return 0
    pinning.check_id(now, options.env, options.key_id)
    if was is not None and pins.is_stretched(was, now):
        raise LuggageError(
            f"environment '{options.env}': {pins.refusal(was, now, 'you sealed to')}",
            pinning.advice(was, now, options.env),
        )
    pins.remember(file, place, now)
    print(pinning.told(place, now), file=sys.stderr)
    return 0
