"""Give an environment a new key, and seal everything anew; needs the old key."""

from __future__ import annotations

import os
import sys

from luggage.commands import keyed, pinning, words
from luggage.commands.deployment import Deployment, current
from luggage.configfile import rotate
from luggage.configfile.rotate import Rotated
from luggage.crypto import sources

MAIN_OK = True

EXAMPLES = """\
Writes the new key to ENV.2.key (ENV.3.key the next time) beside the deployment's package, then
seals every value of the environment to it, in one change of config.py. The old key file stays: what
runs now needs it until the new config.py is deployed.

A rotation protects what is sealed from now on. What was committed before stays readable to the old
key for good, so where that key got out, the values themselves must be replaced.

The old key is SECRET_KEY_FILE=PATH, or SECRET_KEY.

examples:
  SECRET_KEY_FILE=prod.key python -m {package} rotate prod
  python -m {package} bundle prod.key prod.2.key --output prod.both.key
"""


def main(argv: list[str]) -> int:
    """Rotate environment argv[1]; the new key file on stdout."""
    deployment = current()
    parser = words.Words("rotate", __doc__, EXAMPLES, deployment)
    parser.add_argument("env", metavar="ENV", help="such as prod")
    options = parser.read(argv[1:])
    given = keyed.given(os.environ)
    root = deployment.root.resolve()
    done = rotate.rotate(deployment.config, root, options.env, given, words.ignored)
    print(words.shown(done.path), flush=True)
    pinning.own(deployment.config, options.env)
    print(_notes(done, options.env, deployment), file=sys.stderr)
    return 0


def _notes(done: Rotated, environment: str, deployment: Deployment) -> str:
    # A start with keys of two environments is refused.
    given = None if done.others else os.environ.get(sources.FILE)
    old = given or "OLD.key"
    new = words.shown(done.path)
    both = f"{environment}.both.key"
    values = "\n".join(f"  {name}" for name in done.names) or "  (it has none)"
    several = f"""\
warning: the key given is also of {" and ".join(done.others)}, and a start with keys of two
  environments is refused: OLD.key is a file with the old key {done.old_id} alone
"""
    return (
        (several if done.others else "")
        + f"""\
note: environment '{environment}' is at epoch {done.epoch}, with key {done.key_id}
note: copy {new} to a safe place; nothing can make it again
note: to roll it out without a gap:
  1. python -m {deployment.package} bundle {old} {new} --output {both}
  2. give {both} as SECRET_KEY_FILE to what runs now: it holds both keys
  3. commit config.py and deploy it
  4. give {new} alone, and remove {both}
note: tell your colleagues the new key id, {done.key_id}, by another way than the repository
warning: git's history stays readable to the old key, {done.old_id}; where it may have got out,
  get a new value from whoever issues it, and encrypt that, for each of:
{values}"""
    )
