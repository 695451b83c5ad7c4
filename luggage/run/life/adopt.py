"""A child process that runs already → one that Twisted looks after like those it spawns."""

# Twisted's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.process import Process, ProcessReader, registerReapProcessHandler


class Adopted(Process):
    """The process `pid`, whose output comes out of `pipes`: its own descriptor → the one here.

    Twisted's own class spawns a process when it is made; all else of it serves.
    """

    def __init__(self, reactor: Any, protocol: Any, pid: int, pipes: Mapping[int, int]) -> None:
        super(Process, self).__init__(protocol)
        self._reactor = reactor
        self.pid = pid
        self.pipes = {
            number: ProcessReader(reactor, self, number, pipe) for number, pipe in pipes.items()
        }
        protocol.makeConnection(self)
        registerReapProcessHandler(pid, self)  # where it is dead already, this tells
