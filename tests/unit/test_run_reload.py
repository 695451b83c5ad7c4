"""A second life beside the first, with Twisted's own clock and processes that do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from test_run_monitor import Reactor, World

from luggage.errors import LuggageError
from luggage.run.life.child import Child
from luggage.run.life.monitor import Monitor
from luggage.run.life.reload import PATIENCE, Reload
from luggage.run.life.states import State
from luggage.run.log.output import Output
from luggage.run.table.processes import Process


@dataclass
class Reloading(World):
    """A web server that serves, and what was told of its reloads."""

    told: list[str] = field(default_factory=list)
    ends: list[tuple[bool, str]] = field(default_factory=list)

    def begin(self) -> Child:
        """Begin a reload; the new life."""
        before = set(self.monitor.lives)
        self.reload("gunicorn", lambda well, text: self.ends.append((well, text)))
        (new,) = set(self.monitor.lives) - before
        return new

    @property
    def current(self) -> Child | None:
        return self.monitor.protocols.get("gunicorn")

    @property
    def state(self) -> State:
        (state,) = self.monitor.states()
        return state


@pytest.fixture
def world() -> Iterator[Reloading]:
    reactor, said, crashes = Reactor(), [], []
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[Process("gunicorn", "gunicorn", kind="web")],
        descriptors=[],
        crashed=lambda name, status: crashes.append((name, status)),
        say=said.append,
    )
    made.startService()
    made.addProcess("gunicorn", ["/gunicorn"])
    it = Reloading(reactor, made, said, crashes)
    it.reload = Reload(
        made, begun=lambda: it.told.append("begun"), over=lambda: it.told.append("over")
    )
    made.became_ready(made.protocols["gunicorn"])
    yield it
    made.close()


def test_the_old_one_is_asked_to_stop_when_the_new_one_is_ready(world: Reloading) -> None:
    """And not before; its end is no death, and nothing is started again for it."""
    old = world.current
    new = world.begin()
    assert world.current is old
    assert old.transport.signals == []
    world.monitor.became_ready(new)
    assert world.current is new
    assert old.transport.signals == ["TERM"]
    assert new.transport.signals == []
    assert (world.state.state, world.state.starts) == ("running", 2)
    assert [well for well, _ in world.ends] == [True]
    assert world.told == ["begun", "over"]
    spawned = len(world.reactor.spawned)
    world.monitor.exited(old, 0, None)
    world.monitor.ended(old)
    world.reactor.advance(60)
    assert len(world.reactor.spawned) == spawned
    assert world.current is new
    assert "replaced: exited with status 0" in world.said[-1]


def test_one_that_dies_before_it_is_ready_changes_nothing(world: Reloading) -> None:
    """The old one gets no signal; it is said why, and another reload may come."""
    old = world.current
    new = world.begin()
    world.monitor.exited(new, 3, None)
    world.monitor.ended(new)
    assert world.current is old
    assert old.transport.signals == []
    ((well, text),) = world.ends
    assert not well
    assert "exited with status 3 before it was ready" in text
    assert "serves on" in text
    assert world.told == ["begun", "over"]
    assert world.state.state == "running"
    assert world.crashes == []
    world.monitor.became_ready(world.begin())
    assert world.ends[-1][0]


def test_one_that_is_never_ready_is_killed(world: Reloading) -> None:
    """After PATIENCE seconds, and its end is told once."""
    old = world.current
    new = world.begin()
    new.transport.pid = 0
    killed: list[bool] = []
    new.kill = lambda: killed.append(True)  # type: ignore[method-assign]
    world.reactor.advance(PATIENCE + 1)
    assert killed == [True]
    ((well, text),) = world.ends
    assert not well
    assert f"not ready after {PATIENCE:.0f} s" in text
    world.monitor.exited(new, None, 9)
    world.monitor.ended(new)
    assert len(world.ends) == 1
    assert world.current is old


def test_an_old_one_that_dies_meanwhile_is_replaced_once(world: Reloading) -> None:
    """The new one is the current one then, and what waited to be started is not."""
    new = world.begin()
    world.die("gunicorn", None, 9)
    assert world.state.state == "waiting"
    world.monitor.became_ready(new)
    assert world.current is new
    spawned = len(world.reactor.spawned)
    world.reactor.advance(60)
    assert len(world.reactor.spawned) == spawned


def test_one_that_is_stopped_meanwhile_stays_stopped(world: Reloading) -> None:
    """An operator's stop is the last word: the new one is asked to stop as well, at once, and the
    reload is over, so that what is started next is not replaced by it."""
    new = world.begin()
    world.monitor.halt("gunicorn")
    assert new.transport.signals == ["TERM"]
    assert world.ends == [(False, "reload: gunicorn: stopped meanwhile")]
    assert world.told == ["begun", "over"]
    world.monitor.became_ready(new)
    assert world.current is not new
    world.die("gunicorn", 0)
    world.monitor.exited(new, 0, None)
    world.monitor.ended(new)
    world.reactor.advance(60)
    assert world.state.state == "stopped"
    assert not world.monitor.lives


def test_one_that_ends_as_everything_is_stopped_is_no_error(world: Reloading) -> None:
    """It was asked to; and the old one does not serve on."""
    new = world.begin()
    world.monitor.stop(lambda: None)
    world.monitor.exited(new, None, 15)
    world.monitor.ended(new)
    assert world.ends == [(False, "reload: gunicorn: stopped meanwhile")]
    assert not [line for line in world.said if "error" in line or "serves on" in line]


def test_what_cannot_be_reloaded_is_refused(world: Reloading) -> None:
    """A second at once, one that was stopped, and one that there is not."""

    def refused(name: str) -> str:
        with pytest.raises(LuggageError) as caught:
            world.reload(name, lambda *_: None)
        return caught.value.message

    assert "there is none" in refused("rabbit")
    new = world.begin()
    assert "another is under way" in refused("gunicorn")
    world.monitor.became_ready(new)
    world.monitor.halt("gunicorn")
    assert "was stopped" in refused("gunicorn")
