"""Take a secret out of config.py; needs no key."""

from __future__ import annotations

import sys

from luggage.commands import words
from luggage.commands.deployment import current
from luggage.configfile import change

MAIN_OK = True

EXAMPLES = """\
Takes out the line of the secret, with the comment on that line. A name that `required` lists is
kept, since nothing would start without it; --required takes it out of `required` as well.

What was committed once stays in git's history, and readable to whoever has the key.

examples:
  python -m {package} remove LINES_API_KEY
  python -m {package} remove LINES_API_KEY --env prod --required
"""


def main(argv: list[str]) -> int:
    """Remove the secret argv[1]."""
    deployment = current()
    parser = words.Words("remove", __doc__, EXAMPLES, deployment)
    parser.add_argument("name", metavar="NAME", help="such as LINES_API_KEY")
    parser.add_argument("--env", metavar="E", help="the environment, where there are several")
    parser.add_argument("--required", action="store_true", help="take it out of `required` too")
    options = parser.read(argv[1:])
    parser.check_secret(options.name)
    name = options.name
    done = change.remove(deployment.config, name, options.env, required=options.required)
    where = done.environment + (" and from `required`" if done.required else "")
    print(f"{words.shown(deployment.config)}: {name} removed from {where}")
    if done.left:
        have = "has" if len(done.left) == 1 else "have"
        print(f"note: {', '.join(done.left)} {have} {name} still", file=sys.stderr)
    return 0
