"""One life of a process: what it prints, whether it became ready, how it ended → its monitor."""

# Twisted's untyped classes are extended here, and its names are kept.
# mypy: disable-error-code="misc"
# ruff: noqa: N802, N803

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from typing import Any

from twisted.internet import error, protocol

from luggage.run.kernel.heart import Heart
from luggage.run.kernel.private import Room
from luggage.run.life.remains import GONE, GRACE, SHORT, Remains

PIPE = 128  # reads of 8 KiB: more than any pipe holds


class Child(protocol.ProcessProtocol):
    """One life of one process: its output, whether it became ready, and how it ended.

    It has a `heart` where it beats. `ready` is the descriptor on which it tells that it is; None
    where it does not. `since` is the time of its start, by `clock`, and `begin` starts it. Where a
    life is not the current one of its process, `on_ready`, `on_ask` (it was asked to stop) and
    `on_exit` are told of it, the latter in words. `refused`: it takes no signal. `why` stands
    before the words of its end. `room` is what it has for itself.
    """

    def __init__(
        self, monitor: Any, name: str, ready: int | None, clock: Any, heart: Heart | None = None
    ) -> None:
        self.monitor = monitor
        self.name = name
        self.heart = heart
        self.ready = ready is None
        self.clock = clock
        self.since: float = clock.seconds()
        self.asked = False
        self.refused = False
        self.why = ""
        self.on_ready: Callable[[], None] | None = None
        self.on_ask: Callable[[], None] | None = None
        self.on_exit: Callable[[str], None] | None = None
        self.begin: Callable[[], None] = lambda: None
        self.room = Room()
        self._group = 0
        self._first = 0  # its pid, which Twisted forgets when it is gone
        self._remains: Remains | None = None
        self._ready = ready
        self._lines = {number: monitor.output.stream() for number in (1, 2)}
        self._calls: list[Any] = []

    @property
    def pid(self) -> int | None:
        """None where it could not be started, or is gone."""
        return self.transport.pid if self.transport is not None else None

    @property
    def lived(self) -> float:
        """Seconds."""
        return float(self.clock.seconds() - self.since)

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call `call` then, unless this life has ended."""
        self._calls.append(self.clock.callLater(seconds, call))

    @property
    def tells(self) -> bool:
        """Whether it tells when it has started."""
        return self._ready is not None or self.heart is not None

    def over(self) -> None:
        """This life has ended: nothing more is called."""
        if self.heart is not None:
            self.heart.close()
        for call in self._calls:
            if call.active():
                call.cancel()

    def ask(self, seconds: float) -> None:
        """Send TERM, once; after `seconds` it is killed, with its group."""
        if self.asked:
            return
        self.asked = True
        self.send("TERM")

        def too_long() -> None:
            if self.kill():
                limit = f"{seconds:.0f} s after TERM"
                self.monitor.say(f"error: {self.name}: still runs {limit}: killed")

        self.later(seconds, too_long)
        if self.on_ask is not None:
            self.on_ask()

    def send(self, number: str | int) -> None:
        """Send it a signal, where it is there still; of some Twisted knows the names as well."""
        if self.transport is not None:
            try:
                self.transport.signalProcess(number)
            except error.ProcessExitedAlready:
                pass
            except PermissionError:
                self._refused()

    def connectionMade(self) -> None:
        self._first = self.pid or 0

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == self._ready:
            self._read_what_is_there()
            self.monitor.became_ready(self)
            self.transport.closeChildFD(childFD)
        else:
            self._print(childFD, self._lines[childFD].feed(data))
            self.monitor.output.hold(self.transport, len(data))

    def childConnectionLost(self, childFD: int) -> None:
        if childFD in self._lines:
            self._print(childFD, self._lines[childFD].end())

    def processExited(self, reason: Any) -> None:
        self._read_what_is_there()
        code, number = reason.value.exitCode, reason.value.signal
        if self._group:
            with contextlib.suppress(*GONE):
                os.killpg(self._group, signal.SIGKILL)
        self._remains = Remains(self._first, self.clock, self)
        if self._serves and not (self.asked and code == 0):
            # A gunicorn worker outlives its master to finish its requests. One that ends in order
            # has waited for all of them: then others have its output, such as the app's helpers.
            self._remains.outlive(self.monitor.killTime)
        else:
            self._remains.end(GRACE if self.monitor.running else SHORT)
        self.monitor.exited(self, code, number)

    def processEnded(self, reason: Any) -> None:
        if self._remains is not None:
            self._remains.silent()

    def forget(self) -> None:
        """It is dead, and what it has left behind is waited for no longer."""
        if self._remains is not None:
            self._remains.kill()

    def remains_killed(self, seconds: float) -> None:
        """What it has left behind had to be killed, so long after its end."""
        told = f"what it has left behind has not ended in {seconds:.0f} s: killed"
        self.monitor.say(f"error: {self.name}: {told}")

    def remains_shut(self) -> None:
        """Nobody who has its output is waited for."""
        self._read_what_is_there()
        for number in list(self.transport.pipes):
            self.transport.closeChildFD(number)

    def remains_over(self) -> None:
        """Nothing is left of it."""
        self.monitor.ended(self)

    def kill(self) -> bool:
        """Kill the process; where it leads a group, as a good child does, all of that.

        False where that may not be, or it is gone.
        """
        pid, group = self.pid, self._leads()
        try:
            if group:
                os.killpg(group, signal.SIGKILL)
            elif pid is not None:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        except PermissionError:
            self._refused()
            return False
        return pid is not None

    def abort(self, why: str, seconds: float) -> None:
        """End a process that does not go on because of `why`; with its group, unless it serves:
        ABRT lets it print what its threads do, whoever has the interpreter's lock; it is killed
        after `seconds`."""
        self.why = why
        self.send(signal.SIGABRT)
        if self._serves:  # its workers finish, as after any end of their master
            self.later(seconds, lambda: self.send(signal.SIGKILL))
        else:
            self._group = self._leads()
            self.later(seconds, self.kill)

    @property
    def _serves(self) -> bool:
        return self._ready is not None

    def _refused(self) -> None:
        """Tell, once, that the process takes no signal from here."""
        if not self.refused:
            self.refused = True
            self.monitor.say(
                f"error: {self.name}: pid {self.pid} cannot be signalled, as it runs as another "
                "user: end it by hand, or let luggage have CAP_KILL"
            )

    def _leads(self) -> int:
        """The number of the group that the process leads, or 0."""
        pid = self.pid
        with contextlib.suppress(ProcessLookupError):
            if pid is not None and os.getpgid(pid) == pid:
                return pid
        return 0

    def _print(self, stream: int, pieces: list[tuple[bool, bytes]]) -> None:
        self.monitor.output.lines(self.name, pieces, self._first or None, stream)

    def _read_what_is_there(self) -> None:
        """Read what it has printed, so that these lines stand before the news of what it did."""
        pipes = self.transport.pipes
        for number, reader in [(it, pipes[it]) for it in self._lines if it in pipes]:
            poll = select.poll()
            poll.register(reader.fileno(), select.POLLIN)
            for _ in range(PIPE):
                events = [event for _, event in poll.poll(0)]
                if any(event & select.POLLIN for event in events) and not reader.doRead():
                    continue
                if events:  # nobody has the other end: the last line is whole as it is
                    self.childConnectionLost(number)
                break
