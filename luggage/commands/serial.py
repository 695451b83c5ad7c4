"""Show, or raise, the serial that releases are numbered with."""

from __future__ import annotations

import sys

from luggage.commands import words
from luggage.commands.deployment import current
from luggage.configfile import serial, write
from luggage.proof import serial as numbered

MAIN_OK = True

EXAMPLES = """\
A key bundle can name the least serial that its environment starts (see `bundle`). So raise the
serial with every release that must not be replaced by an older one: when a secret was replaced, or
a hole was closed. It stands in config.py, as SERIAL = N, and goes into the manifest.

examples:
  python -m {package} serial
  python -m {package} serial --raise
"""


def main(argv: list[str]) -> int:
    """Print the serial; with --raise the next one, after it was written into config.py."""
    deployment = current()
    parser = words.Words("serial", __doc__, EXAMPLES, deployment)
    parser.add_argument("--raise", dest="higher", action="store_true", help="add 1, or start at 1")
    options = parser.read(argv[1:])
    path = deployment.config
    if options.higher:
        write.update(path, lambda source: serial.raised(source, str(words.shown(path))))
    found = numbered.find(write.read(path), str(words.shown(path)))
    if found is None:
        print("none yet: python -m", deployment.package, "serial --raise", file=sys.stderr)
        return 1
    print(found.number)
    return 0
