"""A process's definition, or a first life that runs already → a life that a monitor looks after."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, MutableMapping
from typing import Any

from luggage.run.kernel.heart import VARIABLE as HEART
from luggage.run.kernel.heart import Heart
from luggage.run.kernel.private import Private, Room
from luggage.run.life.adopt import Adopted
from luggage.run.life.child import Child
from luggage.run.start import inherit
from luggage.run.start.inherit import READY, Started


class Births:
    """Begins the lives of `monitor`'s processes.

    `descriptors` may be inherited: a process gets one when the variable beside it holds its number
    in the process's environment. `started` are first lives that run already. Those of the processes
    `tell` become ready. Each has a room out of `rooms`, where there are any.
    """

    def __init__(
        self,
        monitor: Any,
        reactor: Any,
        *,
        tell: Collection[str],
        descriptors: Collection[tuple[str, int]],
        started: Iterable[Started],
        rooms: Private | None,
    ) -> None:
        self._monitor = monitor
        self._reactor = reactor
        self._tell = tell
        self._rooms = rooms
        self._descriptors = tuple(descriptors)
        self._started = {it.name: it for it in started}
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close what was opened for the children."""
        os.close(self._null)

    def life(self, name: str, process: Any) -> Child:
        """The next life of `process`, which `begin` begins: the one that runs already, if any.

        `process` is Twisted's definition.
        """
        started = self._started.pop(name, None)
        if started is not None:
            child = Child(self._monitor, name, started.ready, self._reactor, started.heart)
            child.since, child.room = started.since, started.room

            def adopt() -> None:
                Adopted(self._reactor, child, started.pid, started.pipes)

            child.begin = adopt
            return child
        room = self._rooms.begin(name) if self._rooms is not None else Room()
        environ = process.env | dict(room.variables)
        heart = self._heart(name)
        own = [(HEART, heart.descriptor)] if heart is not None else []
        environ.update({variable: str(number) for variable, number in own})
        inherited = [*self._descriptors, *own]
        files, ready = given(environ, inherited, self._null, name in self._tell)
        child = Child(self._monitor, name, ready, self._reactor, heart)
        child.room = room
        place = {"path": process.cwd, "uid": process.uid, "gid": process.gid}

        def spawn() -> None:
            words = process.args
            self._reactor.spawnProcess(child, words[0], words, env=environ, childFDs=files, **place)

        child.begin = spawn
        return child

    def _heart(self, name: str) -> Heart | None:
        try:
            return inherit.heart(self._monitor.records[name].process)
        except OSError as error:  # no memory, or no descriptor: better alive than watched
            self._monitor.say(f"error: {name}: its beats cannot be heard: {error}")
            return None

    def over(self, child: Child) -> None:
        """Nothing of this life is left."""
        if self._rooms is not None:
            self._rooms.end(child.room)

    def begin(self, child: Child) -> None:
        """Begin this life; one that cannot be is told, and has ended as soon as all is at rest."""
        begin, child.begin = child.begin, lambda: None  # all that it holds is used once
        try:
            begin()
        except Exception as problem:
            self._monitor.say(f"error: {child.name}: cannot be started: {problem}")
            self._reactor.callLater(0, self._never_begun, child)

    def _never_begun(self, child: Child) -> None:
        self._monitor.exited(child, 127, None)
        self._monitor.ended(child)


def given(
    environ: MutableMapping[str, str],
    inherited: Iterable[tuple[str, int]],
    null: int,
    tells: bool,
) -> tuple[dict[int, int | str], int | None]:
    """A life's descriptors as Twisted wants them, and the one on which it tells that it is ready.

    Of `inherited` it gets those whose number `environ` has; one that `tells` finds its own there.
    """
    files: dict[int, int | str] = {0: null, 1: "r", 2: "r"}
    files |= {number: number for name, number in inherited if environ.get(name) == str(number)}
    if not tells:
        return files, None
    ready = max(files) + 1
    environ[READY] = str(ready)
    return files | {ready: "r"}, ready
