"""Run the whole deployment, supervised, until it is told to stop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

from luggage import board
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.commands.dispatch import find
from luggage.errors import LuggageError, all_wrong
from luggage.run import (
    Loop,
    Web,
    claim,
    handover,
    inherit,
    listen,
    metered,
    proven,
    state,
    table,
    warm,
)
from luggage.run import settings as typed
from luggage.web import asking, version

EXAMPLES = """\
examples:
  SECRET_KEY="$(cat demo.key)" python -m {package} start
  SECRET_KEY_FILE=demo.key HOST=0.0.0.0 PORT=8080 python -m {package} start

variables:
{variables}

HUP starts the web server anew, as `ctl reload` does.

exit status: 0 after TERM or INT; 1 where something is wrong before anything is started; that
of the web server where it dies five times in a row without having become ready.
"""

STDOUT = 1  # sys.stdout is None where it was closed at first
LOCAL = "127.0.0.1"
STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FIRST = 0.5  # seconds that the web server has to itself, before all else is started
LAST_LINES = 2.0  # seconds that the log's reader has for them at the end


class Openable(Protocol):
    """What holds the secrets: `luggage.crypto.Secrets`, or anything else that opens."""

    def open(self) -> Any: ...


def main(
    argv: list[str],
    processes: Sequence[Web | Loop],
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
    package = current().package
    parser = Words(
        "start",
        __doc__,
        EXAMPLES,
        current(),
        variables=typed.describe(typed.Server, *settings),
    )
    parser.read(argv[1:])
    _quit_on_signals()
    wrong = typed.problems([typed.Server, *settings], os.environ)
    if wrong:
        raise LuggageError(all_wrong(wrong), typed.HINT)
    server = typed.read(typed.Server, os.environ)
    wanted = table.expand(processes, os.environ, find(package))
    places = _places(wanted, server, settings)
    web = next((process for process in wanted if process.web), None)
    if web is not None:
        warm.begin(os.environ, current().command(web.command))
    claim(os.environ, prove=False)
    with contextlib.ExitStack() as stack:
        waiting = warm.taken(os.environ)
        if waiting is not None:
            stack.callback(waiting.end)
            if web is None:
                waiting.end()
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
        listeners = {
            command: stack.enter_context(listen.listen(host, port, variable))
            for command, (variable, host, port) in places.items()
        }
        pages, told = _management(server, stack)
        # Heard when there is somebody who stops in order what is started from here on.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        started = _started(wanted, waiting, listeners)
        if started:
            # Importing Twisted takes a processor for as long as the web server still needs.
            inherit.await_ready(started[0], FIRST, STOP)
        from luggage.run import supervise  # noqa: PLC0415
        from luggage.run.writer import Writer  # noqa: PLC0415

        write = Writer(STDOUT)
        supervisor = supervise.Supervisor(
            wanted,
            command=lambda process: current().command(process.command, *process.arguments),
            environ=os.environ,
            folder=folder,
            board=seen,
            listeners=listeners,
            management=pages,
            write=write,
            started=started,
            version=version(package),
        )
        where = listen.url(server.host, server.port) if web is not None else "no web server"
        names = ", ".join(process.name for process in wanted)
        environment = f", environment {opened.environment}" if opened is not None else ""
        if proved.kind != "checkout" or proved.asked:
            supervisor.output.say(str(proved))
        supervisor.output.say(f"{where}{environment}: starting {names}")
        supervisor.output.say(told)
        if waiting is not None and started:
            waiting.let_be()
        status = supervisor.run()
        write.flush(LAST_LINES)
        return status


def _management(
    server: typed.Server, stack: contextlib.ExitStack
) -> tuple[socket.socket | None, str]:
    """The socket of the management pages, which `stack` closes, and where they are; or why not."""
    if server.management_port == 0:
        return None, ""
    host, named = server.management_host or server.host, "HOST"
    if server.management_host:
        named = "MANAGEMENT_HOST"
    wanted = bool(os.environ.get("MANAGEMENT_PORT"))
    pages, why = listen.management(host, server.management_port, named, wanted=wanted)
    stack.enter_context(pages or contextlib.nullcontext())
    return pages, why or f"management: {listen.url(host, server.management_port)}-/status"


def _started(
    wanted: Sequence[table.Process],
    waiting: warm.Waiting | None,
    listeners: Mapping[str, socket.socket],
) -> list[inherit.Started]:
    """The first lives of all that serve, and so are waited for: the web server's comes first.

    None where no web server waits for its turn: then all start in the usual way.
    """
    web = next((process for process in wanted if process.web), None)
    if waiting is None or web is None:
        return []
    lives = [inherit.hand_over(waiting, web, os.environ, listeners[web.command].fileno())]
    if lives[0] is not None:
        lives += [
            inherit.start(
                process,
                current().command(process.command, *process.arguments),
                os.environ,
                listeners[process.command].fileno(),
            )
            for process in wanted
            if process.port
        ]
    return [life for life in lives if life is not None]


def _places(
    wanted: Sequence[table.Process], server: typed.Server, settings: Sequence[type[Any]]
) -> dict[str, tuple[str, str, int]]:
    """Where each command that serves listens: variable, host and port; no port twice."""
    places = {}
    for process in wanted:
        if process.web:
            places[process.command] = ("PORT", server.host, server.port)
        elif process.port:
            port = typed.value(process.port, settings, os.environ)
            places[process.command] = (process.port, LOCAL, port)
    variables: dict[int, str] = {}
    for variable, _, port in places.values():
        if variables.setdefault(port, variable) != variable:
            raise LuggageError(
                f"{variables[port]} and {variable}: both are {port}", f"set {variable} to another"
            )
    return places


def _warn_of_a_kept_key() -> None:
    """Taking the key out of this process is in vain where the one that started it shows it."""
    found = handover.keeper(os.getpid())
    if found is not None:
        print(
            f"warning: process {found[0]} ({found[1]}) keeps SECRET_KEY in its environment, which "
            "any process of this user can read: give the key as a file, with SECRET_KEY_FILE, or "
            "start without that process",
            file=sys.stderr,
        )


def _quit_on_signals() -> None:
    """Let TERM and INT end the process while it starts: without a handler PID 1 gets no signal."""

    def leave(_number: int, _frame: object) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
