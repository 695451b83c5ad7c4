"""Seal all that a .env file holds into config.py; needs no key."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from luggage.commands import pinning, repository, words
from luggage.commands.deployment import Deployment, current
from luggage.configfile import batch, dotenv, seal
from luggage.configfile.batch import Done
from luggage.crypto import Secret
from luggage.crypto.envelope import Typed
from luggage.errors import LuggageError, all_wrong

MAIN_OK = True

EXAMPLES = """\
FILE is read as most tools read it: NAME=value by lines, `export` before it or not, comments, single
and double quotes (in double ones \\n \\r \\t \\\\ \\" \\$ are escapes), over several lines or not.
Nothing is expanded. What tools read differently is refused, each with its line: a `$` or '`' that
some expand, other escapes, a backslash, a quote or a `#` in a value without quotes, a name that
stands twice, an empty value. In single quotes all is taken as it is.

All are text; a name that stands in config.py already is replaced. All is written, or nothing.

{trust}
examples:
  python -m {package} import-env .env
  python -m {package} import-env .env.production --env prod
"""
_MOST_LINES = 20


def main(argv: list[str], config: Path | None = None) -> int:
    """Seal the values of file argv[1] into `config` or the deployment's own."""
    deployment = current()
    parser = words.Words(
        "import-env", __doc__, EXAMPLES.replace("{trust}", pinning.HELP), deployment
    )
    parser.add_argument("file", metavar="FILE", help="such as .env")
    parser.add_argument("--env", metavar="E", help="the environment, where there are several")
    parser.add_argument("--trust", metavar="KEYID", help="the environment's new key, once compared")
    options = parser.read(pinning.separated(argv[1:]))
    path = config or deployment.config
    file = Path(options.file)
    values = _values(file)
    place = seal.place(path, next(iter(values)), options.env)
    trusted = pinning.check(path, place, options.trust)
    done = batch.apply(path, place, values)
    trusted.remember()
    for verb, names in (("added", done.added), ("replaced", done.replaced)):
        if names:
            print(f"{words.shown(path)}: {verb} for {place.environment}: {', '.join(names)}")
    _warn(file, done, deployment)
    return 0


def _values(file: Path) -> dict[str, Typed]:
    try:
        with file.open("rb") as opened:
            source = Secret(opened.read(dotenv.MAX_BYTES + 1))
    except OSError as error:
        why = error.strerror
    else:
        entries, problems = dotenv.parse(source)
        if problems:
            lines = [f"{file}: line {problem.line}: {problem.message}" for problem in problems]
            more = len(lines) - _MOST_LINES
            lines = [*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])]
            raise LuggageError(
                all_wrong([*lines, "nothing was written"]),
                "put values in single quotes: they are taken as they are; remove lines that are "
                "not to be imported",
            )
        if not entries:
            raise LuggageError(f"{file}: holds no NAME=value")
        return {entry.name: Typed("text", entry.value) for entry in entries}
    raise LuggageError(f"import-env: the file cannot be read: {why}")


def _warn(file: Path, done: Done, deployment: Deployment) -> None:
    if done.not_required:
        names = ", ".join(done.not_required)
        print(f"note: not in `required`, so a start without is no error: {names}", file=sys.stderr)
    told = f"warning: {file} holds the values in clear still: once it runs without, delete it\n"
    target = file.resolve()
    git = repository.readable(target.parent, os.environ)
    first = git.first_commit(target.name) if git is not None else None
    if git is not None and git.tracks(target.name):
        told += f"warning: git tracks {file}: git rm {file}, and add it to .gitignore\n"
    if first is not None:
        told += (
            f"warning: git's history holds {file} since commit {first[0]} of {first[1]}: whoever "
            "can read that\n  has what was in it. Get new values from whoever issues them, then: "
            f"python -m {deployment.package} encrypt NAME\n"
        )
    elif git is not None:
        told += "note: no commit of this repository has a file of that name\n"
    print(told, end="", file=sys.stderr)
