"""Edit all values of an environment in your editor; needs its key."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from luggage.commands import hidden, keyed, words
from luggage.commands.deployment import current
from luggage.configfile import batch, grammar, sheet, unlock, write
from luggage.crypto import Secret, sources
from luggage.crypto.envelope import Context, Typed
from luggage.errors import LuggageError, all_wrong
from luggage.run.start import handover

MAIN_OK = True

EXAMPLES = """\
The editor is $VISUAL, else $EDITOR, else vi or nano; one that opens a window has to wait for it,
such as EDITOR="code --wait". It gets a file that only you can read, in memory where there is a
memory file system ($XDG_RUNTIME_DIR, /dev/shm), in a folder that is removed afterwards with all
that is in it, even where this command is killed. vim and nvim are told to leave no traces
elsewhere; what another editor keeps in files of its own, and what a system swaps out, is beyond
this command.

Only values that were changed are sealed anew, all in one write. Where the sheet is broken, or
config.py was changed meanwhile, you are asked whether to edit again, and what you typed is kept
for that; without a terminal nothing is changed. Where the editor fails (vim: :cq) nothing is.

The key is SECRET_KEY_FILE=PATH, or SECRET_KEY.

examples:
  SECRET_KEY_FILE=demo.key python -m {package} edit
  SECRET_KEY_FILE=prod.key EDITOR="code --wait" python -m {package} edit --env prod
"""
_AT_ONCE = 1.0  # seconds in which nobody edits


@dataclass(frozen=True)
class _Job:
    """What is edited, and how its changes are written."""

    path: Path
    base: Mapping[str, str | None]  # as sealed when they were read, or told to be since
    required: tuple[str, ...]
    place: Context
    values: Mapping[str, Typed]
    yes: bool

    def apply(self, text: Secret) -> list[str]:
        """Write what was changed and return what to tell; raises LuggageError."""
        found, problems = sheet.parse(text)
        if problems:
            raise LuggageError(all_wrong(f"line {it.line}: {it.message}" for it in problems))
        changed = {
            name: typed
            for name, typed in found.items()
            if name not in self.values or not unlock.same(typed, self.values[name])
        }
        removed = [name for name in self.values if name not in found]
        if removed and not self.yes and not _asked(f"remove {', '.join(removed)}?", default=False):
            raise LuggageError(
                f"removed in the editor: {', '.join(removed)}",
                "put its lines back, or add: --yes",
            )
        if not changed and not removed:
            return []
        done = batch.apply(self.path, self.place, changed, removed, self.base)
        for name in done.removed:
            if name in (self.required):
                _note(f"{name} is in `required` still: a start without it is an error")
        for name in done.not_required:
            _note(f"{name} is not in `required`: a start without it is no error")
        told = (("added", done.added), ("replaced", done.replaced), ("removed", done.removed))
        return [f"{verb} for {self.place.environment}: {', '.join(it)}" for verb, it in told if it]


def main(argv: list[str], config: Path | None = None) -> int:
    """Edit the values in `config` or the deployment's own."""
    deployment = current()
    parser = words.Words("edit", __doc__, EXAMPLES, deployment)
    parser.add_argument("--env", metavar="E", help="where the key opens several environments")
    parser.add_argument("--yes", action="store_true", help="do not ask whether to remove")
    options = parser.read(argv[1:])
    path = config or deployment.config
    editor = hidden.words(os.environ)
    if not (os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)):
        raise LuggageError(
            f"{words.shown(path)}: cannot be written to",
            "make it writable, with its folder: chmod u+w",
        )
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not os.environ.get(sources.DESCRIPTOR):
        keyed.warn(os.environ)
    # It stays open for long: the kernel must not show the key in /proc/PID/environ meanwhile.
    handover.claim(os.environ)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    # Before anything is opened: the folder's keeper is a copy of this process.
    with hidden.folder(os.environ) as folder:
        given = unlock.given(os.environ)
        stated = grammar.read(write.read(path))
        environment, key = unlock.one(stated, given, options.env)
        values = unlock.values(stated, environment, key)
        base = stated.meaning().values[environment]
        place = unlock.context(stated, environment, "X")
        job = _Job(path, base, stated.required or (), place, values, options.yes)
        file = folder / f"{environment}.secrets"
        hidden.create(file, sheet.dump(stated.project, environment, values))
        told = _edit(job, file, editor)
    for line in told:
        print(f"{words.shown(path)}: {line}")
    if not told:
        print(f"{words.shown(path)}: nothing was changed")
    return 0


def _edit(job: _Job, file: Path, editor: list[str]) -> list[str]:
    """Until what was typed is written, or given up."""
    while True:
        start = time.monotonic()
        text = hidden.edited(file, editor, os.environ)
        quick = time.monotonic() - start < _AT_ONCE
        try:
            told = job.apply(text)
        except batch.ChangedError as error:
            print(error.render(), file=sys.stderr)
            # Told once; then these names, and no others, may be overwritten.
            job = replace(job, base={**job.base, **error.now})
        except LuggageError as error:
            print(error.render(), file=sys.stderr)
        else:
            if not told and quick:
                _note("the editor ended at once: one with a window needs a flag such as --wait")
            return told
        if not _asked("edit it again?", default=True):
            raise LuggageError("edit: nothing was changed, and what was typed is gone")


def _asked(question: str, *, default: bool) -> bool:
    """The answer at a terminal; without one it is no."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [{'Y/n' if default else 'y/N'}] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        return False
    return answer.strip().lower() in (("", "y", "yes") if default else ("y", "yes"))


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _end(number: int, _frame: object) -> None:
    """End as the signal would, but through every `finally`."""
    raise SystemExit(128 + number)
