"""What ends everything, in whatever state that is: with which status, and that it ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from test_run_monitor import Reactor, World

from luggage.run.life.monitor import Monitor
from luggage.run.log.output import Output
from luggage.run.operate.leaving import PATIENCE, Leaving
from luggage.run.table.processes import Process

DRAIN = 20.0


@dataclass
class Ending(World):
    """A web server that serves a real socket, and what was told of its end."""

    listener: socket.socket
    leaving: Leaving = field(init=False)
    told: list[str] = field(default_factory=list)

    def crash(self) -> None:
        """The web server dies so often that it is a crash loop."""
        for _ in range(5):
            self.die("gunicorn", 3)
            self.reactor.advance(5)
        assert self.crashes

    @property
    def is_over(self) -> bool:
        return self.told[-1:] == ["stopped"]


@pytest.fixture
def world() -> Iterator[Ending]:
    reactor, said, crashes = Reactor(), [], []
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[Process("gunicorn", "gunicorn", kind="web")],
        descriptors=[],
        crashed=lambda name, status: (
            crashes.append((name, status)),
            it.leaving.leave(f"{name} does not run", status),
        ),
        say=said.append,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        it = Ending(reactor, made, said, crashes, listener)
        it.leaving = Leaving(
            reactor,
            made,
            listener,
            drain=DRAIN,
            told=it.told.append,
            begun=lambda: it.told.append("begun"),
            stopped=lambda: it.told.append("stopped"),
        )
        made.startService()
        made.addProcess("gunicorn", ["/gunicorn"])
        yield it
    made.close()


def test_a_crash_loop_while_it_drains_ends_the_wait_with_its_status(world: Ending) -> None:
    """Nothing serves any more, and balancers are to know at once."""
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    world.leaving.leave("signal SIGTERM")
    assert world.told == ["signal SIGTERM: stopping"]
    for _ in range(5):
        world.die("gunicorn", 3)
        world.reactor.advance(1)
    assert world.is_over
    assert world.leaving.status == 3
    assert world.said[-1] == "error: gunicorn does not run: stopping now"
    assert world.reactor.getDelayedCalls() == []


def test_a_second_signal_ends_the_wait_for_balancers(world: Ending) -> None:
    """A third changes nothing."""
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    for _ in range(2):
        world.leaving.leave("signal SIGTERM")
    assert world.told[-1] == "begun"
    world.leaving.leave("signal SIGTERM")
    assert world.said[-1] == "signal SIGTERM: stopping already"
    world.die("gunicorn", 0)
    assert world.is_over
    assert world.leaving.status == 0


def test_a_crash_loop_while_clients_wait_ends_all_the_same(world: Ending) -> None:
    """TERM was first: the status is 0, and it lasts no longer than the clients' patience."""
    with socket.create_connection(world.listener.getsockname()):
        world.leaving.leave("signal SIGTERM")
        assert world.said[-1].startswith("clients wait")
        for _ in range(5):
            world.die("gunicorn", 3)
            if world.monitor.waits and not world.crashes:
                world.monitor.start_now("gunicorn")
        assert world.crashes
        world.reactor.advance(PATIENCE)
    assert world.is_over
    assert world.leaving.status == 0
    assert world.reactor.getDelayedCalls() == []


def test_clients_who_wait_for_a_restart_do_not_wait_for_the_old_life_as_well(
    world: Ending,
) -> None:
    """It takes nobody more, and may have requests for half a minute: another begins beside it."""
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    [(old, _)] = world.reactor.spawned
    world.monitor.restart("gunicorn")
    world.leaving = Leaving(
        world.reactor,
        world.monitor,
        world.listener,
        drain=0,
        told=world.told.append,
        begun=lambda: world.told.append("begun"),
        stopped=lambda: world.told.append("stopped"),
    )
    with socket.create_connection(world.listener.getsockname()):
        world.leaving.leave("signal SIGTERM")
        assert world.said[-1].startswith("clients wait")
        [_, (new, _)] = world.reactor.spawned
        assert world.monitor.lives == {old, new}
        world.monitor.became_ready(new)
        assert (old.transport.signals, new.transport.signals) == (["TERM"], ["TERM"])
        world.die("gunicorn", 0)
        assert not world.is_over
        world.monitor.exited(old, 0, None)
        world.monitor.ended(old)
    assert world.is_over
    assert world.reactor.getDelayedCalls() == []


def test_a_restart_is_waited_for_while_balancers_notice(world: Ending) -> None:
    """It serves again in a moment, for as long as they send somebody."""
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    world.monitor.restart("gunicorn")
    assert not world.monitor.serves()
    world.leaving.leave("signal SIGTERM")
    assert world.told == ["signal SIGTERM: stopping"]
    world.die("gunicorn", 0)
    world.reactor.advance(0)
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    world.reactor.advance(DRAIN)
    world.die("gunicorn", 0)
    assert world.is_over


def test_after_a_crash_a_signal_changes_nothing(world: Ending) -> None:
    """What was wrong first is the status."""
    address = world.listener.getsockname()
    world.crash()
    assert world.said[-1] == "error: gunicorn does not run: stopping"
    assert world.told[0] == "gunicorn does not run: stopping"
    world.leaving.leave("signal SIGTERM")
    assert world.is_over
    assert world.leaving.status == 3
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
