"""An operator's orders, and the states that follow from them and from deaths."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from test_run_monitor import Reactor, World

from luggage.errors import LuggageError
from luggage.run.life.monitor import Monitor
from luggage.run.life.states import State
from luggage.run.log.output import Output
from luggage.run.table.processes import Process


@pytest.fixture
def world() -> Iterator[World]:
    """A web server that is ready and a loop, both added; unix time is the clock's and 1000 s."""
    reactor, said, crashes = Reactor(), [], []
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[
            Process("gunicorn", "gunicorn", kind="web"),
            Process("loop", "loop", needed=True),
        ],
        descriptors=[],
        crashed=lambda name, status: crashes.append((name, status)),
        say=said.append,
        wall=lambda: reactor.seconds() + 1000,
    )
    made.startService()
    for name in ("gunicorn", "loop"):
        made.addProcess(name, ["/" + name])
    made.became_ready(made.protocols["gunicorn"])
    yield World(reactor, made, said, crashes)
    made.close()


def state(world: World, name: str) -> State:
    [found] = [it for it in world.monitor.states() if it.name == name]
    return found


def is_(world: World, name: str) -> str:
    return state(world, name).state


def test_states_stand_in_the_order_of_the_table() -> None:
    """Whatever the order in which they were added; what is in no table comes last."""
    made = Monitor(
        Reactor(),
        Output(lambda _: None, []),
        processes=[Process("gunicorn", "gunicorn", kind="web"), Process("loop", "loop")],
        descriptors=[],
        crashed=lambda name, status: None,
        say=lambda text: None,
    )
    for name in ("extra", "loop", "gunicorn"):
        made.addProcess(name, ["/" + name])
    assert [it.name for it in made.states()] == ["gunicorn", "loop", "extra"]
    made.close()


def test_a_state_tells_all_that_is_known(world: World) -> None:
    """What it is, since when, how often it was started, and how its last life ended."""
    world.reactor.advance(7)
    world.die("loop", 3)
    assert state(world, "loop") == State(
        name="loop",
        kind="loop",
        state="waiting",
        pid=None,
        since=1007,
        starts=1,
        crash_loop=False,
        last_exit="exited with status 3",
        last_exit_at=1007,
        last_beat=None,
        needed=True,
    )
    world.reactor.advance(1)
    assert (is_(world, "loop"), state(world, "loop").starts) == ("running", 2)
    web = state(world, "gunicorn")
    assert (web.kind, web.state, web.pid, web.since, web.needed) == (
        "web",
        "running",
        0,
        1000,
        False,
    )


def test_a_web_server_starts_until_it_is_ready(world: World) -> None:
    """And its next life as well."""
    world.die("gunicorn")
    assert is_(world, "gunicorn") == "waiting"
    world.reactor.advance(1)
    assert is_(world, "gunicorn") == "starting"
    world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    assert is_(world, "gunicorn") == "running"


def test_restart_ends_a_life_and_begins_the_next_at_once(world: World) -> None:
    """It is asked with TERM, and counts as no death: the pause stays what it was."""
    old = world.monitor.protocols["loop"]
    world.monitor.restart("loop")
    assert (old.transport.signals, is_(world, "loop")) == (["TERM"], "stopping")
    world.monitor.restart("loop")
    assert old.transport.signals == ["TERM"]
    world.die("loop", None, 15)
    world.reactor.advance(0)
    assert is_(world, "loop") == "running"
    for _ in range(10):
        world.monitor.restart("loop")
        world.die("loop", None, 15)
        world.reactor.advance(0)
    assert not state(world, "loop").crash_loop
    world.die("loop")
    assert world.said[-1].endswith("in 0.1 s")


def test_restart_does_not_wait_for_the_pause(world: World) -> None:
    """Whoever has mended the cause need not wait for half a minute; nothing is started twice."""
    for _ in range(4):
        world.die("loop")
        world.reactor.advance(5)
    world.die("loop")
    count = len(world.reactor.spawned)
    world.monitor.restart("loop")
    assert is_(world, "loop") == "running"
    world.reactor.advance(100)
    assert len(world.reactor.spawned) == count + 1


def test_what_is_halted_stays_stopped(world: World) -> None:
    """Until somebody starts it; to start what runs already changes nothing."""
    world.monitor.halt("loop")
    assert is_(world, "loop") == "stopping"
    world.die("loop", None, 15)
    assert world.said[-1].endswith("; it stays stopped")
    world.reactor.advance(100)
    assert (is_(world, "loop"), state(world, "loop").starts) == ("stopped", 1)
    world.monitor.begin("loop")
    world.monitor.begin("loop")
    assert (is_(world, "loop"), state(world, "loop").starts) == ("running", 2)
    assert world.monitor.protocols["loop"].transport.signals == []


def test_what_waits_can_be_halted(world: World) -> None:
    """Its next try is not made."""
    world.die("loop")
    world.monitor.halt("loop")
    world.reactor.advance(100)
    assert (is_(world, "loop"), state(world, "loop").starts) == ("stopped", 1)
    assert world.reactor.getDelayedCalls() == []


def test_begin_while_it_stops_takes_the_halt_back(world: World) -> None:
    """It ends, and is started again."""
    world.monitor.halt("loop")
    world.monitor.begin("loop")
    world.die("loop", 0)
    world.reactor.advance(0)
    assert is_(world, "loop") == "running"


def test_a_halt_ends_a_crash_loop(world: World) -> None:
    """It is as if it had never run: nothing depends on it, and it is tried as soon as at first."""
    for _ in range(7):
        world.die("loop", 7)
        world.reactor.advance(world.monitor.records["loop"].history.pause)
    assert state(world, "loop").crash_loop
    world.monitor.halt("loop")
    assert not state(world, "loop").crash_loop
    world.die("loop", 7)
    assert (is_(world, "loop"), state(world, "loop").crash_loop) == ("stopped", False)
    world.monitor.begin("loop")
    world.die("loop", 7)
    assert not state(world, "loop").crash_loop
    assert world.said[-1].endswith("in 0.1 s")


@pytest.mark.parametrize("order", ["restart", "halt", "begin"])
def test_orders_that_cannot_be_carried_out(world: World, order: str) -> None:
    """An unknown name is told with those that are there; nothing is started while all stops."""
    with pytest.raises(LuggageError, match="process 'lop': there is none") as caught:
        getattr(world.monitor, order)("lop")
    assert caught.value.hint == "one of: gunicorn, loop"
    world.monitor.stop(lambda: None)
    with pytest.raises(LuggageError, match="process 'loop': everything is being stopped"):
        getattr(world.monitor, order)("loop")


def test_a_crash_loop_of_a_loop_is_told_once_and_tried_on(world: World) -> None:
    """One line when it begins, one when a life has lasted a minute; in between it is shown."""
    for _ in range(12):
        world.die("loop", 7)
        world.reactor.advance(world.monitor.records["loop"].history.pause)
    told = [line for line in world.said if "crash loop" in line]
    wanted = "error: loop: died for the 5th time within 60 s: a crash loop; it is tried on, at last"
    assert told == [f"{wanted} every 30 s"]
    assert state(world, "loop").crash_loop
    world.reactor.advance(59)
    assert state(world, "loop").crash_loop
    world.reactor.advance(1)
    assert not state(world, "loop").crash_loop
    assert world.said[-1] == "loop: has run for 60 s: no crash loop any more"
    assert world.crashes == []


def test_a_web_server_that_dies_again_and_again_ends_everything(world: World) -> None:
    """Five deaths within a minute, though each life was ready; with the status of the last."""
    for _ in range(4):
        world.die("gunicorn", 3)
        world.reactor.advance(5)
        world.monitor.became_ready(world.monitor.protocols["gunicorn"])
    assert world.crashes == []
    world.die("gunicorn", 9)
    assert world.crashes == [("gunicorn", 9)]
    assert world.said[-1].startswith("error: gunicorn: exited with status 9 ")
    assert world.said[-1].endswith(", for the 5th time within 60 s: a crash loop")


def test_every_change_of_a_state_is_told(world: World) -> None:
    """Whoever shows the states need not look all the time."""
    seen: list[str] = []
    world.monitor.changed = lambda: seen.append(is_(world, "loop"))
    world.die("loop")
    world.reactor.advance(1)
    world.monitor.stop(lambda: None)
    for name in ("gunicorn", "loop"):
        world.die(name, 0)
    assert [it for it, before in zip(seen, [None, *seen], strict=False) if it != before] == [
        "waiting",
        "running",
        "stopping",
        "stopped",
    ]


def test_a_life_beside_the_current_one(world: World) -> None:
    """It is told of, is no state of the process, and is stopped with everything else."""
    heard: list[str] = []
    beside = world.monitor.births.life("gunicorn", world.monitor._processes["gunicorn"])
    beside.on_ready = lambda: heard.append("ready")
    beside.on_exit = heard.append
    world.monitor.live(beside)
    world.monitor.became_ready(beside)
    assert world.monitor.protocols["gunicorn"] is not beside
    world.monitor.stop(lambda: heard.append("all"))
    assert beside.transport.signals == ["TERM"]
    world.die("gunicorn", 0)
    assert is_(world, "loop") == "running", "requests may be answered still"
    world.monitor.exited(beside, 0, None)
    world.monitor.ended(beside)
    assert is_(world, "loop") == "stopping"
    world.die("loop", 0)
    assert heard == ["ready", "exited with status 0", "all"]
    assert world.reactor.getDelayedCalls() == []
