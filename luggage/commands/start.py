"""Run the whole deployment, supervised, until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from luggage import board
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.commands.dispatch import find
from luggage.run import claim
from luggage.run import settings as typed
from luggage.run.kernel import kin, listen, private
from luggage.run.log import early
from luggage.run.log.writer import Writer
from luggage.run.start import first, handover, inherit, metered, proven, state, warm
from luggage.run.table import places, plan
from luggage.run.table.entries import Entry
from luggage.run.table.processes import Process
from luggage.web import asking, version

EXAMPLES = """\
examples:
  SECRET_KEY="$(cat demo.key)" python -m {package} start
  SECRET_KEY_FILE=demo.key HOST=0.0.0.0 PORT=8080 python -m {package} start

variables:
{variables}

HUP starts the web server anew, as `ctl reload` does.

exit status: 0 after TERM, INT or QUIT; 1 where something is wrong before anything is started; that
of a check or a release that fails; that of the web server where it crash-loops: it dies five
times within a minute, or in a row without having become ready.
"""

STDOUT = 1  # sys.stdout is None where it was closed at first
ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
STOP = (*ENDS, signal.SIGHUP)
FIRST = 0.5  # seconds that the web server has to itself, before all else is started
LAST_LINES = 2.0  # seconds that the log's reader has for them at the end


class Openable(Protocol):
    """What holds the secrets: `luggage.crypto.Secrets`, or anything else that opens."""

    def open(self) -> Any: ...


def main(
    argv: list[str],
    processes: Sequence[Entry],
    secrets: Openable | None = None,
    *,
    settings: Sequence[type[Any]] = (),
    check: Callable[[Any], object] | None = None,
) -> int:
    """Run `processes`, the process table, with `secrets`; returns the exit status.

    `settings` are the environ-config classes that the deployment's processes read: what is wrong
    for them is told here, once, before anything is started. So is what `check` raises as a
    LuggageError: it gets the opened secrets, which may be values that no process can use.
    """
    parser = Words(
        "start",
        __doc__,
        EXAMPLES,
        current(),
        variables=typed.describe(typed.Server, *settings),
    )
    parser.add_argument(
        "--check-env", action="store_true", help="start nothing; the same as the command check-env"
    )
    options = parser.read(argv[1:])
    if options.check_env:
        from luggage.commands import check_env  # noqa: PLC0415 - in place of all that follows

        return check_env.examine(processes, secrets, settings, check)
    _quit_on_signals()
    return _start(processes, secrets, settings, check)


def _start(
    processes: Sequence[Entry],
    secrets: Openable | None,
    settings: Sequence[type[Any]],
    check: Callable[[Any], object] | None,
) -> int:
    package = current().package
    planned = plan.plan(processes, settings, os.environ, find(package))
    server, wanted, where = planned.server, planned.processes, planned.places
    web = next((process for process in wanted if process.web), None)
    if web is not None:
        warm.begin(os.environ, current().command(web.command))
    claim(os.environ, prove=False)
    with contextlib.ExitStack() as stack:
        waiting = _waiting(stack, wanted=web is not None)
        proved = proven.prove(os.environ, secrets)
        opened = secrets.open() if secrets is not None else None
        if check is not None:
            check(opened)
        _warn_of_a_kept_key()
        folder = stack.enter_context(state.folder(os.environ))
        seen = stack.enter_context(board.create(server.log_level))
        os.environ |= {
            board.VARIABLE: str(seen.fileno()),
            metered.FOLDER: str(folder / metered.PART),
            asking.VARIABLE: str(folder / asking.SOCKET),
        }
        rooms = stack.enter_context(private.private(folder, os.environ))
        listeners = places.taken(where, stack)
        pages, told = places.management(server, where, os.environ, stack)
        # Heard when there is somebody who stops in order what is started from here on.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        write = Writer(STDOUT)
        status = _steps(wanted, server, rooms, write, waiting)
        if status is not None:
            write.flush(LAST_LINES)
            return status
        places.opened(where, listeners)
        started = first.lives(
            wanted,
            waiting,
            command=_command,
            environ=os.environ,
            listeners=listeners,
            rooms=rooms,
        )
        if started:
            # Importing Twisted takes a processor for as long as the web server still needs.
            inherit.await_ready(started[0], FIRST, STOP)
        from luggage.run import supervise  # noqa: PLC0415

        staying = [process for process in wanted if process.stays]
        supervisor = supervise.Supervisor(
            staying,
            command=_command,
            environ=os.environ,
            folder=folder,
            board=seen,
            listeners=listeners,
            management=pages,
            write=write,
            started=started,
            rooms=rooms,
            version=version(package),
        )
        page = listen.url(server.host, server.port) if web is not None else "no web server"
        environment = f", environment {opened.environment}" if opened is not None else ""
        if proved.kind != "checkout" or proved.asked:
            supervisor.say(str(proved))
        supervisor.say(f"{page}{environment}: starting {', '.join(it.name for it in staying)}")
        if told:
            supervisor.say(told)
        if waiting is not None and started:
            waiting.let_be()
        status = supervisor.run()
        write.flush(LAST_LINES)
        return status


def _waiting(stack: contextlib.ExitStack, *, wanted: bool) -> warm.Waiting | None:
    """The web server's process, which waits for its turn, and is gone with `stack`."""
    waiting = warm.taken(os.environ)
    if waiting is not None:
        stack.callback(waiting.end)
        if not wanted:
            waiting.end()
    return waiting


def _command(process: Process) -> list[str]:
    return current().command(process.command, *process.arguments)


def _steps(
    wanted: Sequence[Process],
    server: typed.Server,
    rooms: private.Private,
    write: Writer,
    waiting: warm.Waiting | None,
) -> int | None:
    """Run checks and releases, if there are any; the exit status where that is all."""
    if all(process.stays for process in wanted):
        return None
    from luggage.run.log.output import Output  # noqa: PLC0415
    from luggage.run.log.pressure import Pause  # noqa: PLC0415
    from luggage.run.start import steps  # noqa: PLC0415 - where there are none, nobody waits

    kin.adopt_orphans()
    output = Output(
        write, [process.name for process in wanted], server.log_format, missed=write.missed
    )
    ran = steps.Steps(
        command=_command,
        environ=os.environ,
        output=output,
        rooms=rooms,
        stop=ENDS,
        pause=Pause(write),
        others=() if waiting is None else (waiting.pid,),
    )
    status = steps.passed(wanted, ran, output)
    write.miss(output.untold())  # the supervisor tells of them, in the lines of its own output
    return status


def _warn_of_a_kept_key() -> None:
    """Taking the key out of this process is in vain where the one that started it shows it."""
    found = handover.keeper(os.getpid())
    if found is not None:
        told = (
            f"warning: process {found[0]} ({found[1]}) keeps SECRET_KEY in its environment, which "
            "any process of this user can read: give the key as a file, with SECRET_KEY_FILE, or "
            "start without that process"
        )
        print(early.line(told, "warning", os.environ), file=sys.stderr)


def _quit_on_signals() -> None:
    """Let these end the process while it starts: without a handler PID 1 gets no signal."""

    def leave(_number: int, _frame: object) -> NoReturn:
        sys.exit(0)

    for number in ENDS:
        signal.signal(number, leave)
