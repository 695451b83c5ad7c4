"""Pin requirements.in, with hashes, as requirements.txt."""

from __future__ import annotations

import os
import sys

from luggage.buildpex import refresh
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
examples:
  python -m deploy lock                    what requirements.in asks for; pins that fit stay
  python -m deploy lock --upgrade          everything to its latest version
  python -m deploy lock --upgrade flask    flask alone, and what it needs

The locks of the packing tools and of the tests are made anew as well, where they are there.
"""


def main(argv: list[str]) -> int:
    """Refresh every lock of the checkout; a line on stdout for each that changed."""
    parser = Words(argv[0], __doc__, EXAMPLES, current())
    parser.add_argument(
        "--upgrade",
        nargs="*",
        metavar="NAME",
        help="let go of the pins of these, or of all where none is named",
    )
    options = parser.read(argv[1:])
    root = current().root
    present = [locked for locked in refresh.LOCKS if (root / locked.source).exists()]
    if not present:
        raise LuggageError(
            f"{refresh.LOCKS[0].source}: not found in '{root}'", "write it: a requirement a line"
        )
    same = []
    for locked in present:
        changed = refresh.refresh(root, locked, options.upgrade, os.environ)
        if changed is None:
            same.append(locked.lock)
        else:
            print(f"{locked.lock}: {'; '.join(changed) or 'hashes or markers'}", flush=True)
    if same:
        print(f"unchanged: {', '.join(same)}", file=sys.stderr)
    return 0
