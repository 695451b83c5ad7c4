"""Orders, deaths and reloads in any sequence: nothing is forgotten, and the end comes once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from test_run_monitor import Reactor, World

from luggage.errors import LuggageError
from luggage.run.life.child import Child
from luggage.run.life.monitor import Monitor
from luggage.run.life.reload import Reload
from luggage.run.life.states import STATES
from luggage.run.log.output import Output
from luggage.run.table.cron import Rhythm
from luggage.run.table.processes import Process

NAMES = ("gunicorn", "loop", "tick")
STEPS = 60


class Anything(World):
    """A web server, a loop and a cron, to which anything may happen; `random` chooses what."""

    def __init__(self, seed: int) -> None:
        reactor, said, crashes = Reactor(), [], []
        monitor = Monitor(
            reactor,
            Output(lambda _: None, []),
            processes=[
                Process("gunicorn", "gunicorn", kind="web"),
                Process("loop", "loop"),
                Process("tick", "tick", kind="cron", rhythm=Rhythm(7)),
            ],
            descriptors=[],
            crashed=lambda name, status: crashes.append((name, status)),
            say=said.append,
            wall=lambda: reactor.seconds() + 1000,
        )
        super().__init__(reactor, monitor, said, crashes)
        self.random = random.Random(seed)
        self.reload = Reload(monitor)
        self.reloads = self.ends = self.stopped = 0
        spawn = reactor.spawnProcess

        def spawned(child: Child, program: str, args: list[str], **options: Any) -> None:
            spawn(child, program, args, **options)
            child.transport.pid = len(reactor.spawned)
            child.kill = lambda: None  # type: ignore[method-assign]

        reactor.spawnProcess = spawned  # type: ignore[method-assign]
        monitor.startService()
        for name in NAMES:
            monitor.addProcess(name, [f"/{name}"])

    def life(self) -> Child | None:
        lives = sorted(self.monitor.lives, key=lambda child: child.pid or 0)
        return self.random.choice(lives) if lives else None

    def end(self, child: Child, code: int | None = None, number: int | None = None) -> None:
        child.transport.pid = None
        self.monitor.exited(child, code, number)
        self.monitor.ended(child)

    def step(self) -> None:
        what = self.random.choice(["order", "order", "die", "ready", "reload", "time", "time"])
        child = self.life()
        if what == "order":
            order = self.random.choice(
                [self.monitor.restart, self.monitor.halt, self.monitor.begin]
            )
            order(self.random.choice(NAMES))
        elif what == "die" and child is not None:
            self.end(child, self.random.choice([0, 1]))
        elif what == "ready" and child is not None:
            self.monitor.became_ready(child)
        elif what == "reload":
            try:
                self.reload("gunicorn", self._over)
                self.reloads += 1
            except LuggageError:
                pass
        else:
            self.reactor.advance(self.random.choice([0.05, 1, 40]))

    def _over(self, _well: bool, _told: str) -> None:
        self.ends += 1

    def check(self) -> None:
        """What holds at each moment."""
        monitor = self.monitor
        for state in monitor.states():
            record, child = monitor.records[state.name], monitor.protocols.get(state.name)
            call = monitor.waits.get(state.name)
            waits = call is not None and call.active()
            assert state.state in STATES
            assert not (waits and child), "one that runs waits for no start"
            assert waits is (state.state == "waiting"), (state, waits)
            if child is not None:
                assert child in monitor.lives
                assert (
                    state.state == "stopping"
                    if child.asked
                    else state.state in ("starting", "running")
                )
            elif record.halted:
                assert state.state == "stopped"
            else:
                crashed = any(name == state.name for name, _ in self.crashes)
                assert waits or state.state == "scheduled" or crashed, state


@pytest.mark.parametrize("seed", range(150))
def test_whatever_happens(seed: int) -> None:
    """What is to run runs or waits; each reload ends once; all stops, and nothing is left."""
    it = Anything(seed)
    for _ in range(STEPS):
        it.step()
        it.check()

    def stopped() -> None:
        it.stopped += 1

    it.monitor.stop(stopped)
    while (child := it.life()) is not None:
        assert child.asked or it.stopped == 0
        if it.random.random() < 0.3:
            it.monitor.became_ready(child)
        if child.asked:
            it.end(child, None, 15)
        else:
            it.reactor.advance(1)
    assert it.stopped == 1
    assert it.reloads == it.ends
    assert it.reactor.getDelayedCalls() == []
    assert {state.state for state in it.monitor.states()} == {"stopped"}
    it.monitor.close()
