"""What an operator asks for, and what he is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from luggage.errors import LuggageError
from luggage.run.life.states import State
from luggage.run.operate.operating import Operating

LOOP = State("loop", "loop", "running", 5, 0.0, 1, False, None, None, None, False)


@dataclass
class Parts:
    """A system and a monitor in one, which does what it is told when the test says so."""

    folder: Path = Path("/state")
    version: Mapping[str, object] = field(default_factory=lambda: {"version": "abc"})
    stopping: bool = False
    level: str = "info"
    asked: list[str] = field(default_factory=list)
    done: Callable[[bool, str], None] | None = None
    processes: dict[str, State] = field(
        default_factory=lambda: {
            "gunicorn": replace(LOOP, name="gunicorn", kind="web", pid=4),
            "loop.1": replace(LOOP, name="loop.1"),
            "loop.2": replace(LOOP, name="loop.2"),
        }
    )

    def states(self) -> list[State]:
        return list(self.processes.values())

    def set_level(self, level: str) -> None:
        self.level = level

    def lines(self, name: str) -> list[str]:
        return []

    def ready(self) -> tuple[bool, str]:
        return True, "ready"

    def healthy(self) -> tuple[bool, str]:
        return True, "healthy"

    def restart(self, name: str) -> None:
        self.asked.append(f"restart {name}")
        self.rise(name)

    def halt(self, name: str) -> None:
        self.asked.append(f"stop {name}")

    def begin(self, name: str) -> None:
        self.asked.append(f"start {name}")
        self.rise(name)

    def rise(self, name: str) -> None:
        """What does not run is started at once, as a monitor does it."""
        if self.processes[name].state in ("stopped", "waiting"):
            self.processes[name] = replace(self.processes[name], state="starting")

    def reload(self, name: str, done: Callable[[bool, str], None]) -> None:
        self.asked.append(f"reload {name}")
        self.done = done


@dataclass
class Told:
    """A reply that keeps what it is told."""

    said: list[str] = field(default_factory=list)
    result: list[object] = field(default_factory=list)
    error: LuggageError | None = None
    waits: bool = True

    def say(self, text: str) -> None:
        self.said.append(text)

    def end(self, result: object = None) -> None:
        self.result.append(result)

    def fail(self, error: LuggageError) -> None:
        self.error = error


@dataclass
class World:
    parts: Parts = field(default_factory=Parts)
    clock: Clock = field(default_factory=Clock)
    log: list[str] = field(default_factory=list)

    def order(self, command: str, *names: str) -> Told:
        told = Told()
        parts = self.parts
        operating = Operating(
            self.clock, parts, orders=parts, reload=parts.reload, say=self.log.append
        )
        operating(command, list(names), told)
        return told

    def refused(self, command: str, *names: str) -> LuggageError:
        with pytest.raises(LuggageError) as caught:
            self.order(command, *names)
        assert not self.parts.asked
        return caught.value

    def change(self, name: str, seconds: float = 1, **state: object) -> None:
        self.parts.processes[name] = replace(self.parts.processes[name], **state)  # type: ignore[arg-type]
        self.clock.advance(seconds)


def test_a_restart_is_over_when_the_next_life_runs() -> None:
    """And not while the old one stops, though that runs still."""
    world = World()
    told = world.order("restart", "loop.1")
    assert world.parts.asked == ["restart loop.1"]
    for state in ("stopping", "waiting"):
        world.change("loop.1", state=state)
        assert not told.result
    world.change("loop.1", state="running", starts=2, pid=9)
    assert not told.result, "it may die in a moment"
    world.clock.advance(1)
    assert (told.said, told.result, told.error) == (["loop.1: running, pid 9"], [None], None)
    assert world.log == ["ctl: restart loop.1"]


def test_a_life_that_ends_within_a_moment_is_a_failure() -> None:
    """It ran when it was first looked at, and may run again at the second look."""
    for state, starts in (("waiting", 2), ("running", 3)):
        for command in ("restart", "start"):
            world = World()
            world.parts.processes["loop.1"] = replace(LOOP, name="loop.1", state="waiting")
            told = world.order(command, "loop.1")
            world.change("loop.1", 0.1, state="running", starts=2 if command == "restart" else 1)
            world.clock.advance(0.5)
            assert not told.said
            number = starts if command == "restart" else starts - 1
            last = "exited with status 3"
            world.change("loop.1", 0.1, state=state, starts=number, last_exit=last)
            assert told.error is not None, (command, state)
            assert told.error.message == "loop.1: exited with status 3, and is tried again"
            assert not told.result


def test_a_run_of_a_cron_may_be_over_by_then() -> None:
    """It is a failure where the run was one."""
    for last in ("exited with status 0", "exited with status 3"):
        world = World()
        cron = replace(LOOP, name="loop.1", kind="cron", state="scheduled", pid=None)
        world.parts.processes["loop.1"] = cron
        told = world.order("restart", "loop.1")
        world.change("loop.1", state="scheduled", starts=2, last_exit=last)
        if last.endswith("0"):
            assert (told.said, told.error) == (["loop.1: scheduled"], None)
        else:
            assert told.error is not None
            assert told.error.message == "loop.1: exited with status 3, and is due again"
    told = world.order("start", "loop.1")
    assert told.said == ["loop.1: scheduled"], "only its next run can tell"


def test_to_start_what_runs_is_over_at_once() -> None:
    """Nothing was begun."""
    assert World().order("start", "loop.1").said == ["loop.1: running, pid 5"]


def test_a_restart_into_a_crash_is_a_failure() -> None:
    """The operator is told how that life ended."""
    world = World()
    told = world.order("restart", "loop.1")
    world.change("loop.1", state="waiting", starts=2, pid=None, last_exit="exited with status 3")
    assert told.error is not None
    assert told.error.message == "loop.1: exited with status 3, and is tried again"
    assert not told.result


@pytest.mark.parametrize("command", ["restart", "start"])
def test_what_another_operator_stops_is_waited_for_no_more(command: str) -> None:
    """Its next life may come never."""
    world = World()
    world.change("loop.1", state="stopping")
    told = world.order(command, "loop.1")
    world.change("loop.1", state="stopped", pid=None)
    assert told.error is not None
    assert told.error.message == "loop.1: stopped"


def test_a_stop_that_another_operator_takes_back_is_waited_for_no_more() -> None:
    """It has stopped, and runs again."""
    world = World()
    told = world.order("stop", "loop.1")
    world.change("loop.1", state="stopping")
    world.change("loop.1", state="running", starts=2, pid=9)
    assert told.error is not None
    assert told.error.message == "loop.1: running, pid 9"


def test_nobody_is_waited_for_who_has_hung_up() -> None:
    """Looks that go on for whoever gave up would add up."""
    world = World()
    told = world.order("restart", "loop.1")
    told.waits = False
    world.clock.advance(1)
    assert not world.clock.getDelayedCalls()


def test_the_name_of_a_command_means_all_its_copies() -> None:
    """`loop` is loop.1 and loop.2, and it is over when both are."""
    world = World()
    told = world.order("stop", "loop")
    assert world.parts.asked == ["stop loop.1", "stop loop.2"]
    world.change("loop.2", state="stopped", pid=None)
    assert not told.result
    world.change("loop.1", state="stopped", pid=None)
    assert told.said == ["loop.2: stopped", "loop.1: stopped"]
    assert told.result == [None]


def test_a_start_is_over_when_it_runs() -> None:
    """A web server runs when it is ready."""
    world = World()
    world.change("gunicorn", state="stopped", pid=None)
    told = world.order("start", "gunicorn")
    world.change("gunicorn", state="starting", pid=8)
    assert not told.result
    world.change("gunicorn", state="running")
    world.clock.advance(1)
    assert told.said == ["gunicorn: running, pid 8"]


def test_names_that_there_are_not_are_told_at_once_with_those_that_there_are() -> None:
    """And nothing is done to the others."""
    error = World().refused("restart", "loop.1", "rabbit", "hare")
    assert error.message.splitlines() == [
        "restart: process 'rabbit': there is none",
        "restart: process 'hare': there is none",
    ]
    assert error.hint == "one of gunicorn, loop.1, loop.2"


def test_a_name_that_may_be_a_secret_is_not_repeated() -> None:
    """It was put there by mistake."""
    assert "s3cr3t" not in World().refused("restart", "s3cr3t/+=").render()


@pytest.mark.parametrize("command", ["restart", "stop", "start", "reload"])
def test_an_empty_name_is_that_of_no_process(command: str) -> None:
    """Not of all that are no copies, such as where a variable in a script is not set."""
    world = World()
    world.parts.processes["spare"] = replace(LOOP, name="spare")
    error = world.refused(command, "")
    assert error.message == f"{command}: that process: there is none"
    assert world.parts.asked == []


@pytest.mark.parametrize("command", ["restart", "stop", "start"])
def test_no_name_at_all_is_refused(command: str) -> None:
    """The names that there are, are told."""
    error = World().refused(command)
    assert error.hint == "one of gunicorn, loop.1, loop.2"


def test_a_command_that_there_is_not_is_refused() -> None:
    """Whoever wrote it."""
    assert "reload" in (World().refused("explode").hint or "")


def test_a_reload_is_of_the_web_server_where_nothing_is_named() -> None:
    """It ends as the monitor says."""
    for well in (True, False):
        world = World()
        told = world.order("reload")
        assert world.parts.asked == ["reload gunicorn"]
        assert world.parts.done is not None
        world.parts.done(well, "so it ended")
        assert bool(told.result) is well
        assert (told.error is None) is well
        assert "so it ended" in (told.said[-1] if told.error is None else told.error.message)


def test_a_loop_is_not_reloaded() -> None:
    """Two lives of it at once could do its work twice."""
    error = World().refused("reload", "loop")
    assert "'loop.1', 'loop.2'" in error.message
    assert error.hint == "ctl restart loop.1 loop.2"


def test_what_is_refused_is_told_in_the_log_with_the_reason() -> None:
    """On one line; whoever looks for the outcome of an order finds it there."""
    world = World()

    def busy(name: str, done: Callable[[bool, str], None]) -> None:
        raise LuggageError("reload: another is under way", "wait until that is over")

    for command, name, told in (
        ("reload", "loop.1", "reload: 'loop.1': only the web server can have two lives at once"),
        ("restart", "hare", "restart: process 'hare': there is none"),
        ("explode", "", "control: there is no such command"),
    ):
        world.refused(command, name)
        assert world.log[-1] == f"ctl: refused: {told}"
    world.parts.reload = busy  # type: ignore[method-assign]
    world.refused("reload")
    assert world.log[-1] == "ctl: refused: reload: another is under way"
    world.refused("restart", "a", "b")
    assert "\n" not in world.log[-1]


def test_while_everything_stops_only_questions_are_answered() -> None:
    """A process that was started then would have to be stopped again."""
    world = World(Parts(stopping=True))
    for command in ("restart", "stop", "start", "reload"):
        assert "stopping" in world.refused(command, "loop").message
    assert world.order("status").result


def test_who_waits_when_everything_is_stopped_is_told() -> None:
    """He does not wait for what will not come."""
    world = World()
    told = world.order("restart", "loop.1")
    world.parts.stopping = True
    world.clock.advance(1)
    assert told.error is not None
    assert told.error.message == "loop.1: not yet: everything is stopping"


def test_the_log_level_is_shown_and_set() -> None:
    """To set it is told in the log."""
    world = World()
    assert world.order("log-level").result == ["info"]
    assert world.order("log-level", "debug").result == ["debug"]
    assert world.log == ["ctl: log level debug"]


def test_status_tells_everything() -> None:
    """In words that JSON has."""
    (result,) = World().order("status").result
    assert isinstance(result, dict)
    assert (result["ready"], result["told"], result["level"]) == (True, "ready", "info")
    assert (result["folder"], result["version"]) == ("/state", {"version": "abc"})
    assert [it["name"] for it in result["processes"]] == ["gunicorn", "loop.1", "loop.2"]
