"""What operators and pages are told of everything, and what stands on the board."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from luggage import board
from luggage.errors import LuggageError
from luggage.run.life.states import State
from luggage.run.operate.system import Overall

LOOP = State("loop", "loop", "running", 5, 0.0, 1, False, None, None, None, False)
WEB = replace(LOOP, name="gunicorn", kind="web", pid=4)
ROBOT = replace(LOOP, name="robot", state="waiting", pid=None, crash_loop=True)


@dataclass
class Monitor:
    """Processes in whatever state the test says."""

    found: list[State] = field(default_factory=lambda: [LOOP, WEB])

    def states(self) -> list[State]:
        return self.found


@dataclass
class World:
    monitor: Monitor
    board: board.Board
    system: Overall

    def ready(self, *found: State) -> tuple[bool, str]:
        self.monitor.found = list(found)
        self.system.publish()
        return self.system.ready()


@pytest.fixture
def world() -> Iterator[World]:
    monitor = Monitor()
    with board.create() as it:
        system = Overall(
            monitor=monitor,
            board=it,
            folder=Path("/state"),
            version={},
            lines=lambda name: [name.encode(), b"\xff"],
            web=["gunicorn"],
        )
        yield World(monitor, it, system)


def test_it_is_ready_while_the_web_server_serves(world: World) -> None:
    """In no other state of it."""
    assert world.ready(WEB, LOOP) == (True, "ready")
    for state in ("starting", "waiting", "stopping", "stopped"):
        fit, told = world.ready(replace(WEB, state=state), LOOP)
        assert (fit, told) == (False, f"not ready; gunicorn is {state}")


def test_where_no_web_server_is_wanted_it_is_always_ready() -> None:
    """There is nothing to wait for."""
    with board.create() as it:
        system = Overall(
            monitor=Monitor([LOOP]),
            board=it,
            folder=Path("/state"),
            version={},
            lines=lambda name: [],
            web=[],
        )
        assert system.ready() == (True, "ready")


def test_it_is_not_ready_before_the_web_server_is_known(world: World) -> None:
    """Processes are added one after another, in any order: systemd was told READY=1 too early."""
    assert world.ready(LOOP) == (False, "not ready; gunicorn is not there")


def test_a_loop_in_a_crash_loop_is_named_and_only_a_needed_one_counts(world: World) -> None:
    """On the board as well, for the web server's own page."""
    assert world.ready(WEB, LOOP, ROBOT) == (True, "ready; loop 'robot' crash-loops")
    told = "loop 'robot' crash-loops"
    assert (world.board.fit, world.board.trouble) == (True, told)
    needed = replace(ROBOT, needed=True)
    assert world.ready(WEB, needed) == (False, "not ready; loop 'robot' crash-loops")
    assert (world.board.fit, world.board.trouble) == (False, told)
    other = replace(ROBOT, name="other")
    assert world.ready(WEB, needed, other) == (False, f"not ready; {told}")
    assert world.board.trouble == told
    assert world.ready(WEB, replace(needed, crash_loop=False)) == (True, "ready")
    assert (world.board.fit, world.board.trouble) == (True, "")


def test_what_an_operator_has_stopped_is_named_and_does_not_count(world: World) -> None:
    """Also where it is needed: somebody wanted that."""
    stopped = replace(ROBOT, state="stopped", crash_loop=False, needed=True)
    assert world.ready(WEB, stopped, LOOP) == (True, "ready; loop 'robot' is stopped")
    assert (world.board.fit, world.board.trouble) == (True, "loop 'robot' is stopped")
    fit, told = world.ready(WEB, stopped, replace(ROBOT, name="other"))
    assert (fit, told) == (True, "ready; loop 'robot' is stopped, loop 'other' crash-loops")


def test_what_stops_is_not_ready_but_healthy(world: World) -> None:
    """Else an engine would kill what answers its last requests."""
    world.board.stopping = True
    assert world.ready(WEB, LOOP) == (False, "stopping")
    assert world.system.stopping
    assert world.system.healthy()[0]


def test_the_level_is_the_board_s(world: World) -> None:
    """So that every process sees it; one that there is not is refused, and told which there are."""
    world.system.set_level("debug")
    assert (world.board.level, world.system.level) == ("debug", "debug")
    with pytest.raises(LuggageError) as caught:
        world.system.set_level("loud")
    assert "warning" in (caught.value.hint or "")
    assert world.board.level == "debug"


def test_lines_are_text_whatever_a_process_prints(world: World) -> None:
    """What is no UTF-8 is shown as such."""
    assert world.system.lines("loop") == ["loop", "\ufffd"]
