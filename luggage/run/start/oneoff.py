"""Words + variables + descriptors → a program in the foreground; its exit status when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Mapping

from luggage.errors import LuggageError
from luggage.run.kernel import ending
from luggage.run.kernel.spawn import spawn

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)
OF_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # which sends them to everyone in the foreground


def foreground(words: list[str], environ: Mapping[str, str], kept: Collection[int]) -> int:
    """Run it with this process's stdin, stdout and stderr, and the descriptors `kept`.

    Signals are passed on to it, and orphans that become this process's are reaped. The status is
    its own, or 128 + N for signal N. Raises LuggageError where it cannot be started.
    """
    files = {number: number for number in (0, 1, 2, *kept)}
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    try:
        pid = spawn(words, environ, files, group=False)
    except OSError as error:
        raise LuggageError(f"{words[0]}: {os.strerror(error.errno or 0).lower()}") from error
    terminal = os.isatty(0)

    def pass_on(number: int, _frame: object) -> None:
        if not (terminal and number in OF_A_TERMINAL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    while True:
        found, status = os.waitpid(-1, 0)
        if found == pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else ending.status(None, -code)
