"""A command whose turn has not come → a process that has imported all it needs, and waits for it.

Imports are most of what a start takes, and the web server's are as many as the supervisor's. So the
first process of a deployment starts `gunicorn` before it does anything else, and on two processors
both import at once. What waits has no key, no socket and no place to write to: it gets its
environment, its arguments and its descriptors when the supervisor has found everything right, and
it is then what it would be had it been started at that moment. If it is not to be, it ends without
a word, and the supervisor starts another in the usual way, which tells what is wrong.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

from luggage.run.kernel import kin
from luggage.run.kernel.spawn import spawn

VARIABLE = "LUGGAGE_WARM"
HIGH = 512  # its own descriptors stand above all that it is given
MOST = 64  # descriptors at once
_HIDDEN = (
    *("SECRET_KEY", "SECRET_KEY_FILE", "LUGGAGE_KEY_FD", "LISTEN_FDS", "LISTEN_PID"),
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"),
)


# -- in the supervisor


class Waiting:
    """A process that waits for its turn."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self._channel: socket.socket | None = channel

    def go(
        self, words: Sequence[str], environ: Mapping[str, str], files: Mapping[int, int]
    ) -> None:
        """Its turn has come: `words` follow the command's name, and `files` are its descriptors,
        its own number → the one here. Raises OSError where it is gone."""
        import json  # noqa: PLC0415

        channel, self._channel = self._channel, None
        if channel is None:
            raise ProcessLookupError
        told = {"words": list(words), "environ": dict(environ), "files": list(files)}
        with channel, os.fdopen(os.memfd_create("luggage-turn"), "wb") as file:
            file.write(json.dumps(told).encode())
            file.flush()
            socket.send_fds(channel, [b"."], [file.fileno(), *files.values()])

    def let_be(self) -> None:
        """Somebody else looks after it from now on."""
        self.pid = 0

    def end(self) -> None:
        """Kill it, and wait until it is gone; but not where somebody else looks after it."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        pid, self.pid = self.pid, 0
        if pid:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def begin(environ: MutableMapping[str, str], command: list[str]) -> None:
    """Start `command`, the web server's, which then waits; `environ` tells `taken` of it.

    It survives that this process is executed anew. Where it cannot be started, nothing is different
    but slower.
    """
    if VARIABLE in environ or kin.SUPERVISOR in environ:
        return
    kin.stand()
    kin.hide()  # or what is imported there could read the key here
    with contextlib.suppress(OSError):
        ours, theirs = socket.socketpair()
        with ours, theirs, os.fdopen(os.memfd_create("luggage-early"), "wb") as early:
            own = {key: value for key, value in environ.items() if key not in _HIDDEN}
            own[kin.SUPERVISOR] = str(os.getpid())
            own[VARIABLE] = str(theirs.fileno())
            number, file = theirs.fileno(), early.fileno()
            pid = spawn(command, own, {1: file, 2: file, number: number})
            ours.set_inheritable(True)  # by this process itself, when it is executed anew
            environ[VARIABLE] = f"{pid}:{ours.detach()}"


def taken(environ: MutableMapping[str, str]) -> Waiting | None:
    """The process that `begin` started, if it is there; it leaves `environ`."""
    pid, _, number = environ.pop(VARIABLE, "").partition(":")
    if not (pid.isdigit() and number.isdigit()):
        return None
    with contextlib.suppress(OSError, OverflowError), contextlib.ExitStack() as stack:
        channel = stack.enter_context(socket.socket(fileno=int(number)))
        channel.set_inheritable(False)
        # Ours, and still there: or this raises, or tells how it ended.
        if os.waitid(os.P_PID, int(pid), os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            stack.pop_all()
            return Waiting(int(pid), channel)
        os.waitpid(int(pid), 0)
    return None


# -- in the process that waits


def wait(environ: MutableMapping[str, str]) -> list[str]:
    """Wait for this process's turn; then its arguments, with its environment and descriptors.

    The process ends here where its turn never comes.
    """
    from luggage.run import server  # noqa: F401, PLC0415 - all that serving needs
    from luggage.web import worker  # noqa: F401, PLC0415

    try:
        kin.follow(int(environ[kin.SUPERVISOR]))
        with socket.socket(fileno=_above(int(environ[VARIABLE]))) as channel:
            _, numbers, _, _ = socket.recv_fds(channel, 1, MOST)
        return _become(environ, [_above(number) for number in numbers])
    except (OSError, ValueError, LookupError):
        _leave()


def _become(environ: MutableMapping[str, str], numbers: Sequence[int]) -> list[str]:
    import json  # noqa: PLC0415

    with os.fdopen(numbers[0], "rb") as file:
        file.seek(0)
        told = json.load(file)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    early = os.pread(1, os.fstat(1).st_size, 0)
    for target, number in zip(told["files"], numbers[1:], strict=True):
        os.dup2(number, target)
        os.close(number)
    os.write(2, early)
    environ.clear()
    environ.update(told["environ"])
    words: list[str] = told["words"]
    return words


def _above(number: int) -> int:
    """The same descriptor, where it is in nobody's way, and only for this process."""
    copy = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(number)
    return copy


def _leave() -> NoReturn:
    """No handler has anything to say: nothing was begun."""
    os._exit(0)
