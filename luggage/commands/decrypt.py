"""Show one secret; needs the key."""

from __future__ import annotations

import os
import re

from luggage.commands import keyed, words
from luggage.commands.deployment import current
from luggage.configfile import grammar, unlock, write
from luggage.crypto import Secret
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
Writes the bytes that were sealed to stdout, and no line end after them. To a terminal, where
others may look on and the screen is kept, only with --show.

The key is SECRET_KEY_FILE=PATH, or SECRET_KEY, and says which environment it is.

examples:
  SECRET_KEY_FILE=prod.key python -m {package} decrypt LINES_API_KEY --show
  SECRET_KEY_FILE=prod.key python -m {package} decrypt TLS_CERTIFICATE > certificate.pem
"""
# What a terminal would obey: anyone may have sealed the value.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def main(argv: list[str]) -> int:
    """Write the value of argv[1] to stdout."""
    deployment = current()
    parser = words.Words("decrypt", __doc__, EXAMPLES, deployment)
    parser.add_argument("name", metavar="NAME", help="such as LINES_API_KEY")
    parser.add_argument("--env", metavar="E", help="the environment that the key must be for")
    parser.add_argument("--show", action="store_true", help="also to a terminal")
    options = parser.read(argv[1:])
    parser.check_secret(options.name)
    terminal = words.on_terminal("decrypt")
    if terminal and not options.show:
        raise LuggageError(
            "decrypt: stdout is a terminal, so the value is not shown",
            "to show it all the same, add: --show",
        )
    config = grammar.read(write.read(deployment.config))
    environment, key = unlock.one(config, keyed.given(os.environ), options.env)
    value = unlock.value(config, environment, options.name, key).value
    words.put_out("decrypt", _for_terminal(value, options.name) if terminal else value)
    return 0


def _for_terminal(value: Secret, name: str) -> Secret:
    if _readable(value):
        return Secret(value.reveal() + b"\n")
    raise LuggageError(
        f"decrypt: '{name}' has bytes that a terminal would obey, so it is not shown",
        "send it through: … | cat -v",
    )


def _readable(value: Secret) -> bool:
    try:
        return _CONTROL.search(value.reveal().decode("utf-8")) is None
    except UnicodeDecodeError:
        return False
