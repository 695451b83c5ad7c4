"""Signals to the supervisor → an end, a reload, or a line that tells that they mean nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
# Whoever takes it for another program sends these, and each would end it, without any order.
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)


class Signals:
    """Hears signals, from `listen` on: `leave` and `reload` are called in the reactor's own time,
    with what was heard."""

    def __init__(
        self,
        reactor: Any,
        *,
        leave: Callable[[str], None],
        reload: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._reactor = reactor
        self._leave = leave
        self._reload = reload
        self._say = say
        self._terminals = [number for number in range(3) if os.isatty(number)]

    def listen(self) -> None:
        """From now on; those that wait, blocked, are heard at once."""
        for number in HEARD:
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._heard)
        for number in IGNORED:
            signal.signal(number, self._ignored)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)

    def _heard(self, number: int, _frame: object) -> None:
        told = f"signal {signal.Signals(number).name}"
        # A terminal that is closed takes with it whoever could have wanted a reload.
        if number == signal.SIGHUP and all(os.isatty(it) for it in self._terminals):
            self._reactor.callFromThread(self._reload, told)
        else:
            self._reactor.callFromThread(self._leave, told)

    def _ignored(self, number: int, _frame: object) -> None:
        told = f"signal {signal.Signals(number).name}: left out: it means nothing here"
        self._reactor.callFromThread(self._say, told)
