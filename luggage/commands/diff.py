"""Show in what two artifacts differ, and which inputs explain it; runs nothing of them."""

from __future__ import annotations

import json
import os

from luggage.commands import looking, words
from luggage.commands.deployment import current
from luggage.errors import LuggageError
from luggage.seal import difference, explained

MAIN_OK = True

_MOST = 20
EXAMPLES = """\
Commit, Python, tools; wheels, Debian's packages, sources, sealed values by name; files, how the
image is started, its layers. Of a pex and an image: what both have. The last line names the inputs
that explain it. Exit status: 0 where they are equal, 1 where they differ, 2 where they cannot be
compared.

examples:
  python -m {package} diff old.pex build/app.pex
  python -m {package} diff app:v1 app:v2 --all
  python -m {package} diff app.tar app:latest --json | jq -r .sentence
"""


def main(argv: list[str]) -> int:
    """Compare the artifacts argv[1] and argv[2], on stdout."""
    parser = words.Words("diff", __doc__, EXAMPLES, current())
    looking.add(parser, "one", "other")
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    parser.add_argument("--all", action="store_true", help=f"more than {_MOST} of a kind, too")
    options = parser.read(argv[1:])
    try:
        one = looking.load(options.one, dict(os.environ), image=options.image)
        other = looking.load(options.other, dict(os.environ), image=options.image)
        changes = difference.compare(one, other)
    except LuggageError as error:
        raise LuggageError(error.message, error.hint, status=2) from error
    if options.json:
        print(json.dumps(explained.document(changes, one, other), indent=2))
    else:
        for line in explained.page(changes, len(changes) if options.all else _MOST):
            print(line)
        print(explained.sentence(changes, one, other))
    return 1 if changes else 0
