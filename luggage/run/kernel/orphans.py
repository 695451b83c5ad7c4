"""Dead processes that nobody waits for → none: what a first process owes all that run below it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import process as twisted_process

MOST = 500  # at once: whoever makes them without end must not keep everything else waiting


class Orphans:
    """Reaps them, as soon as one has died; and when it is called, in case a signal was lost."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._soon = False
        # No process has this number. Twisted asks all who are here whenever some child has died.
        twisted_process.reapProcessHandlers[0] = self

    def reapProcess(self) -> None:  # noqa: N802 - Twisted's name
        """Some child has died. Twisted's own are first: they are among these that it asks now."""
        if not self._soon:
            self._soon = True
            self._reactor.callLater(0, self)

    def __call__(self) -> None:
        """Wait for those that are dead; Twisted's own are left to it."""
        self._soon = False
        for _ in range(MOST):
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid in twisted_process.reapProcessHandlers:
                return
            os.waitpid(found.si_pid, os.WNOHANG)
        self.reapProcess()
