"""Make the key of a new environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from luggage.commands import past, pinning, repository, words
from luggage.commands.deployment import current
from luggage.configfile import keygen

MAIN_OK = True

EXAMPLES = """\
Writes the private key to ENV.key beside the deployment's package, for its owner alone, and the
public key into config.py. A key is never overwritten. Keep a copy in a safe place, never in git:
with it every secret of the environment can be read, and without it none.

Where git's history has an environment of that name, which was removed, the new one is of the epoch
after its last, and the file is ENV.EPOCH.key.

examples:
  python -m {package} keygen prod
  SECRET_KEY_FILE=prod.key python -m {package} start
"""


def main(argv: list[str], config: Path | None = None) -> int:
    """Make environment argv[1] in `config` or the deployment's own; the key file on stdout."""
    deployment = current()
    parser = words.Words("keygen", __doc__, EXAMPLES, deployment)
    parser.add_argument("env", metavar="ENV", help="such as prod: a-z, 0-9 and -")
    options = parser.read(argv[1:])
    root = deployment.root.resolve()
    path = config or deployment.config
    made = keygen.add(path, root, options.env, words.ignored, _epoch(path, options.env))
    pinning.own(path, options.env)
    print(words.shown(made.path))
    print(
        f"note: key {made.key_id} opens environment '{options.env}': copy the file to a safe "
        "place; nothing can make it again",
        file=sys.stderr,
    )
    return 0


def _epoch(config: Path, environment: str) -> int:
    """1, or the epoch after the last that git's history has of an environment of that name: with
    another key in the same one, `check` would take it for an attack.
    """
    target = config.resolve()
    git = repository.readable(target.parent, os.environ)
    states = past.gather(git, target.name, deep=True).states
    return 1 + max(
        (s.heads[environment].epoch for s in states if environment in s.heads), default=0
    )
