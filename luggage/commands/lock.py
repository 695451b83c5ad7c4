"""Pin requirements.in, with hashes, as requirements.txt."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from luggage.buildpex import private, refresh
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.errors import LuggageError

MAIN_OK = True

EXAMPLES = """\
examples:
  python -m {package} lock                       what requirements.in asks for; pins that fit stay
  python -m {package} lock --upgrade --dry-run   what an upgrade of everything would change
  python -m {package} lock --upgrade             everything to its latest version
  python -m {package} lock --upgrade flask       flask alone, and what it needs

A project with a wheel in {wheels}/ is taken from there, and from nowhere else: docs/packing.md.
The locks of the packing tools and of the tests are made anew as well, where they are there.
"""


def main(argv: list[str]) -> int:
    """Refresh every lock of the checkout; a table on stdout for each that changed."""
    parser = Words(argv[0], __doc__, EXAMPLES, current(), wheels=private.FOLDER)
    parser.add_argument(
        "--upgrade",
        nargs="*",
        metavar="NAME",
        help="let go of the pins of these, or of all where none is named",
    )
    parser.add_argument("--dry-run", action="store_true", help="show the changes, write nothing")
    parser.add_argument("--json", action="store_true", help="the changes as JSON")
    options = parser.read(argv[1:])
    root = current().root.resolve()
    present = [locked for locked in refresh.LOCKS if (root / locked.source).exists()]
    if not present:
        raise LuggageError(
            f"{refresh.LOCKS[0].source}: not found in '{root}'", "write it: a requirement a line"
        )
    uv = refresh.find_uv(os.environ, Path(sys.executable), root)
    found = refresh.refresh(root, present, options.upgrade, os.environ, uv=uv, dry=options.dry_run)
    if options.json:
        print(json.dumps([it.plain() for it in found], indent=2))
    else:
        changed = [it for it in found if not it.same]
        print("\n\n".join(it.table() for it in changed), end="\n" if changed else "")
    if same := [it.lock for it in found if it.same]:
        print(f"unchanged: {', '.join(same)}", file=sys.stderr)
    if options.dry_run:
        print("dry run: nothing was written", file=sys.stderr)
    return 0
