"""Say whether the deployment is fit to run in this environment, without running it."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Any, NoReturn, TypeVar

from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.commands.dispatch import find
from luggage.errors import LuggageError, together
from luggage.run import claim
from luggage.run.kernel import private
from luggage.run.start import proven
from luggage.run.table import plan
from luggage.run.table.entries import Entry
from luggage.run.table.processes import Process, expand

MAIN_OK = True

EXAMPLES = """\
examples:
  SECRET_KEY="$(cat demo.key)" python -m {package} check-env
  docker run --rm --env-file demo.env IMAGE check-env

It looks at all that `start` looks at before it starts anything: the variables, the process table,
the key and the secrets, the artifact, and what each Check in the process table says. But it takes
no port and makes no state folder: whether these can be had, only `start` tells.
exit status: 0 where it is fit to run in, else 1.
"""

T = TypeVar("T")
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(argv: list[str]) -> int:
    """Ask the deployment's `start` to check instead of starting; its exit status."""
    Words("check-env", __doc__, EXAMPLES, current()).read(argv[1:])
    command = find(current().package, "start").get("start")
    if command is None:
        raise LuggageError(
            f"package '{current().package}': has no command 'start', whose checks these are",
            "write start.py, as docs/own-app.md has it",
        )
    module = importlib.import_module(f"{command.root}.start")
    return int(module.main(["start", "--check-env"]))


def examine(
    processes: Sequence[Entry],
    secrets: Any,
    classes: Sequence[type[Any]],
    check: Callable[[Any], object] | None,
) -> int:
    """Find everything that is wrong, and say that, or that nothing is; `start`'s own arguments."""
    _fail_on_signals()
    wrong: list[LuggageError] = []

    def heard(call: Callable[[], T]) -> T | None:
        try:
            return call()
        except LuggageError as error:
            wrong.append(error)
            return None

    commands = find(current().package)
    planned = heard(lambda: plan.plan(processes, classes, os.environ, commands))
    wanted = planned.processes if planned else _named(processes, commands)
    heard(lambda: claim(os.environ, prove=False))
    heard(lambda: proven.prove(os.environ, secrets))
    opened = heard(secrets.open) if secrets is not None else None
    if check is not None and not wrong:
        heard(lambda: check(opened))
    checks = [process for process in wanted if process.kind == "check"]
    if checks and not wrong:
        wrong += _failed(checks)
        checks = []
    if wrong:
        if checks:
            print(f"not run yet: {', '.join(it.name for it in checks)}", file=sys.stderr)
        raise together(wrong)
    print("fit to run in" + (f": environment {opened.environment}" if opened is not None else ""))
    return 0


def _named(processes: Sequence[Entry], commands: Collection[str]) -> Sequence[Process]:
    """What the table asks for, where something else is wrong; nothing where itself is."""
    with contextlib.suppress(LuggageError):
        return expand(processes, os.environ, commands)
    return []


def _failed(checks: Sequence[Process]) -> list[LuggageError]:
    """Run the checks; those that fail, and what they print goes to stderr."""
    from luggage.run.log.output import Output  # noqa: PLC0415 - for a table that has checks
    from luggage.run.start.steps import Steps  # noqa: PLC0415

    def write(data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(2, data)

    output = Output(write, [process.name for process in checks])
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    with (
        private.temporary(os.environ) as folder,
        private.private(folder, os.environ) as rooms,
    ):
        steps = Steps(
            command=lambda process: current().command(process.command, *process.arguments),
            environ=os.environ,
            output=output,
            rooms=rooms,
            stop=STOP,
        )
        ends = steps.run(checks)
    if steps.stopped:
        return [LuggageError("check-env: told to stop before all was checked")]
    return [
        LuggageError(f"check '{it.process.name}': {it.words}", "its lines above tell why")
        for it in ends
        if it.status
    ]


def _fail_on_signals() -> None:
    """Let TERM and INT end the process, but not as if all were well: without a handler PID 1 gets
    no signal."""

    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
