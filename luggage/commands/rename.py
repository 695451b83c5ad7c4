"""Give a secret another name; needs the key."""

from __future__ import annotations

import os
import sys

from luggage.commands import keyed, words
from luggage.commands.deployment import current
from luggage.configfile import change
from luggage.errors import UsageError

MAIN_OK = True

EXAMPLES = """\
The name is sealed with the value, so the value is opened and sealed anew: in the environment of the
key, or in each where the key is a bundle of several. `required` in config.py follows in the same
change, once no environment has the old name; until then it stays, and what remains is told.

The key is SECRET_KEY_FILE=PATH, or SECRET_KEY.

examples:
  SECRET_KEY_FILE=prod.key python -m {package} rename LINES_KEY LINES_API_KEY
  SECRET_KEY=$(python -m {package} bundle demo.key prod.key) python -m {package} rename OLD NEW
"""


def main(argv: list[str]) -> int:
    """Name the secret argv[1] argv[2]."""
    deployment = current()
    parser = words.Words("rename", __doc__, EXAMPLES, deployment)
    parser.add_argument("old", metavar="OLD", help="the name it has")
    parser.add_argument("new", metavar="NEW", help="the name it gets: A-Z, 0-9 and _")
    parser.add_argument("--env", metavar="E", help="only in this environment")
    options = parser.read(argv[1:])
    parser.check_secret(options.old)
    parser.check_secret(options.new)
    old, new = options.old, options.new
    if old == new:
        raise UsageError("rename: both names are the same", "give another second name")
    given = keyed.given(os.environ)
    done = change.rename(deployment.config, old, new, given, options.env)
    changed = ", ".join(done.environments) + (" and in `required`" if done.required else "")
    print(f"{words.shown(deployment.config)}: {old} renamed to {new} for {changed}")
    if done.left:
        have = "has" if len(done.left) == 1 else "have"
        print(
            f"note: {', '.join(done.left)} {have} {old} still: do the same there", file=sys.stderr
        )
    if done.required_left:
        print(
            f"warning: `required` names {old} until then, so {', '.join(done.environments)} does "
            "not start meanwhile",
            file=sys.stderr,
        )
    print(f"note: the code asks for {old} where it did; look for it", file=sys.stderr)
    return 0
