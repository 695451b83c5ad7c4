"""Run one command to its end, with the deployment's settings, and return its exit status."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from luggage.commands.arguments import KEY, Words
from luggage.commands.deployment import current
from luggage.commands.dispatch import find
from luggage.crypto.sources import CREDENTIALS, DESCRIPTOR
from luggage.errors import UsageError
from luggage.run import claim
from luggage.run.kernel import private
from luggage.run.start.oneoff import foreground

MAIN_OK = True

EXAMPLES = """\
examples:
  SECRET_KEY="$(cat demo.key)" python -m {package} run check-env
  docker exec CONTAINER /app/bin/python -I -m luggage run migrate --dry-run
  docker run --rm -it --env-file demo.env IMAGE run python

CMD is a command of the deployment, which can open the secrets, or else a program on PATH, which
cannot: it gets no key. Either has the variables of this process, an empty TMPDIR that is removed at
the end, and this terminal. exit status: its own; 128 + N where signal N has killed it.
"""

STAYING = ("start", "gunicorn")


def main(argv: list[str]) -> int:
    """Run `argv[1:]`; raises UsageError where there is no such command or program."""
    parser = Words("run", __doc__, EXAMPLES, current())
    parser.add_argument("words", metavar="CMD …", nargs="*")
    words = argv[1:]
    if not words or words[0].startswith("-") or any(KEY.match(word) for word in words):
        parser.read(words)  # as every command does: help, or an error
        raise UsageError("run: no command is named", parser.format_usage().strip())
    own = find(current().package, words[0].replace("-", "_"))
    program = shutil.which(words[0])
    if not own and program is None:
        raise UsageError(
            "run: no command of the deployment is called so, and no program on PATH",
            f"{current().called(os.environ)} --help lists the commands",
        )
    if own and words[0] in STAYING:
        raise UsageError(
            f"run: {words[0]} goes on until it is told to stop",
            f"without run: {current().called(os.environ)} {words[0]}",
        )
    claim(os.environ)
    with private.temporary(os.environ) as folder:
        environ = dict(os.environ) | {private.TMPDIR: str(folder)}
        if own:
            return foreground(current().command(*words), environ, _descriptors(environ))
        for variable in (DESCRIPTOR, CREDENTIALS):
            environ.pop(variable, None)
        sys.stdout.flush()
        return foreground([str(program), *words[1:]], environ, [])


def _descriptors(environ: Mapping[str, str]) -> list[int]:
    number = environ.get(DESCRIPTOR, "")
    return [int(number)] if number.isdigit() else []
