"""Crons: run when they are due, never twice at once, and what is left out is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from test_run_monitor import Reactor, World

from luggage.run.life.monitor import Monitor
from luggage.run.log.output import Output
from luggage.run.table.cron import Rhythm
from luggage.run.table.processes import Process

NOON = 1_774_785_600.0  # 2026-03-29 12:00:00Z


@dataclass
class Day(World):
    """Its clock on the wall goes with the other, and may be set."""

    set_by: list[float]

    def pass_(self, seconds: float) -> None:
        """Time passes, and everything runs."""
        for _ in range(round(seconds * 2)):
            self.reactor.advance(0.5)

    def state(self) -> str:
        return self.monitor.states()[0].state

    def starts(self) -> int:
        return self.monitor.states()[0].starts


@pytest.fixture
def day() -> Iterator[Day]:
    """It is a quarter to one; the cron is hourly."""
    reactor, said, set_by = Reactor(), [], [45 * 60.0]
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[Process("tidy", "tidy", kind="cron", rhythm=Rhythm(3600))],
        descriptors=[],
        crashed=lambda *_: None,
        say=said.append,
        wall=lambda: NOON + reactor.seconds() + sum(set_by),
    )
    made.startService()
    made.addProcess("tidy", ["/tidy"])
    yield Day(reactor, made, said, [], set_by)
    made.stop(lambda: None)
    made.close()


def test_a_run_begins_when_it_is_due(day: Day) -> None:
    """Not before, and not again when it has ended before the next."""
    assert (day.state(), day.starts()) == ("scheduled", 0)
    day.pass_(15 * 60 - 1)
    assert (day.state(), day.starts()) == ("scheduled", 0)
    day.pass_(1)
    assert (day.state(), day.starts()) == ("running", 1)
    day.die("tidy", 0)
    assert day.said == ["tidy: exited with status 0 after 0.0 s; due again at 2026-03-29 14:00:00Z"]
    day.pass_(3599)
    assert (day.state(), day.starts()) == ("scheduled", 1)
    day.pass_(1)
    assert (day.state(), day.starts()) == ("running", 2)


def test_a_run_that_fails_is_told_and_not_repeated(day: Day) -> None:
    """Its next is when it is due, however often it fails."""
    for _ in range(7):
        day.pass_(3600)
        day.die("tidy", 3)
        assert day.said[-1].startswith("error: tidy: exited with status 3 after ")
        assert day.state() == "scheduled"
    assert day.starts() == 7
    assert not day.monitor.states()[0].crash_loop


def test_runs_do_not_overlap(day: Day) -> None:
    """What is due while the last run goes on is left out, and told."""
    day.pass_(3600)
    day.pass_(3600)
    assert day.starts() == 1
    assert day.said == [
        "error: tidy: the run of 2026-03-29 14:00:00Z is left out: the one before has not ended"
    ]
    day.die("tidy", 0)
    day.pass_(3600)
    assert day.starts() == 2


def test_missed_runs_are_told_and_the_last_is_made_up_for(day: Day) -> None:
    """A container was paused for three and a half hours."""
    day.set_by.append(3.5 * 3600)
    day.pass_(1)
    assert day.said == [
        "error: tidy: missed 3 times, from 2026-03-29 13:00:00Z to 2026-03-29 15:00:00Z: "
        "nothing ran then"
    ]
    assert day.starts() == 1


def test_a_clock_that_is_set_back_a_little_runs_nothing_twice(day: Day) -> None:
    """As the network's time does; where it is set back by more, that is the time."""
    day.pass_(15 * 60)
    day.die("tidy", 0)
    day.set_by.append(-30)
    day.pass_(600)
    assert day.starts() == 1
    day.set_by.append(-3600)
    day.pass_(3600)
    assert day.starts() == 2


def test_an_operator_runs_it_now_stops_it_and_lets_it_be_due_again(day: Day) -> None:
    """Restart is a run of its own; what is halted is never due, and begins nothing when it is."""
    day.monitor.restart("tidy")
    assert (day.state(), day.starts()) == ("running", 1)
    day.monitor.halt("tidy")
    day.die("tidy", None, 15)
    day.pass_(7200)
    assert (day.state(), day.starts()) == ("stopped", 1)
    day.monitor.begin("tidy")
    assert (day.state(), day.starts()) == ("scheduled", 1)
    day.pass_(3600)
    assert (day.state(), day.starts()) == ("running", 2)
    day.monitor.begin("tidy")
    assert day.starts() == 2


def test_nothing_is_begun_while_all_stops(day: Day) -> None:
    """Nor in the moments before that; and nothing waits."""
    day.monitor.closing = True
    day.pass_(7200)
    day.monitor.stop(lambda: None)
    day.pass_(7200)
    assert day.starts() == 0
    assert day.reactor.getDelayedCalls() == []


def test_one_that_is_started_while_its_run_ends_waits_for_its_time(day: Day) -> None:
    """`stop` and `start` give it back to its rhythm; a run at once is what `restart` is for."""
    day.pass_(15 * 60)
    day.monitor.halt("tidy")
    for _ in range(2):
        day.monitor.begin("tidy")
    day.die("tidy", None, 15)
    day.pass_(5)
    assert (day.state(), day.starts()) == ("scheduled", 1)
    assert not [line for line in day.said if line.startswith("error")]
    day.pass_(3600)
    assert day.starts() == 2
    day.monitor.halt("tidy")
    day.monitor.begin("tidy")
    day.monitor.restart("tidy")
    day.die("tidy", None, 15)
    day.pass_(5)
    assert (day.state(), day.starts()) == ("running", 3)
