"""List the secrets, without their values; needs no key."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from luggage.commands import keyed, repository, words
from luggage.commands.deployment import current
from luggage.configfile import grammar, history, listing, unlock, write
from luggage.configfile.history import Commit
from luggage.configfile.model import Config
from luggage.crypto.errors import SecretError
from luggage.errors import LuggageError, all_wrong

MAIN_OK = True

EXAMPLES = """\
One line for each secret of each environment, and for each name in `required` that has no value
(KEY ID `missing`). COMMIT, DATE and AUTHOR are of the last commit that touched the secret's line.

The type is inside the sealed box, so without a key it is `?`. Where SECRET_KEY_FILE or SECRET_KEY
holds a key, it is shown for the environments that the key opens, and so is `damaged`:
then the exit status is 1, and stderr says why.

--json prints an array of objects, in the same order:
  environment  string                     name     string
  required     whether the code asks for it
  missing      true where there is no value; then type, key_id and commit are null
  type         "text", "bytes", "json", "url" or "damaged"; null without the key
  key_id       string                     commit   null where there is none, else an object:
    hash (10 digits), date (ISO 8601, of the author), author: strings

examples:
  python -m {package} secrets
  python -m {package} secrets --json | jq -r '.[] | select(.missing) | .name'
  SECRET_KEY_FILE=prod.key python -m {package} secrets
"""


def main(argv: list[str], config: Path | None = None) -> int:
    """List the secrets in `config` or the deployment's own."""
    deployment = current()
    parser = words.Words("secrets", __doc__, EXAMPLES, deployment)
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.read(argv[1:])
    path = config or deployment.config
    source = write.read(path)
    stated = grammar.read(source)
    kinds, damaged = _kinds(stated)
    found = listing.rows(source, stated, _blame(path, source), kinds)
    if options.json:
        print(json.dumps(listing.document(found), indent=2))
    else:
        print(listing.table(found), flush=True)
    if damaged:
        hints = dict.fromkeys(error.hint for error in damaged if error.hint)
        raise LuggageError(all_wrong(error.message for error in damaged), "\n".join(hints))
    return 0


def _blame(path: Path, source: bytes) -> dict[int, Commit | None] | None:
    target = path.resolve()
    git = repository.readable(target.parent, os.environ)
    porcelain = git.blame(target.name) if git is not None else None
    if porcelain is not None:
        return history.blamed(porcelain)
    if git is None:
        print("note: no git repository, so no commits", file=sys.stderr)
        return None
    # Not committed at all: then neither is any line.
    return dict.fromkeys(range(1, source.count(b"\n") + 2))


def _kinds(stated: Config) -> tuple[dict[tuple[str, str], str], list[LuggageError]]:
    """The type of each secret that a key in the sources opens, and why some do not open; no key is
    no error.
    """
    try:
        given = keyed.given(os.environ)
    except SecretError as error:
        if error.reason != "no-key":
            print(f"note: no types: {error.message}", file=sys.stderr)
        return {}, []
    found = {}
    damaged = []
    opened = unlock.opened(stated, given)
    if not opened:
        print(f"note: no types: {given.source} opens no environment", file=sys.stderr)
    for environment, key in opened.items():
        for name in stated.environments[environment].values:
            try:
                kind = unlock.value(stated, environment, name, key).kind
            except LuggageError as error:
                kind = "damaged"
                damaged.append(error)
            found[environment, name] = kind
    return found, damaged
