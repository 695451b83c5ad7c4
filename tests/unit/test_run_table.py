"""The process table: what is asked for, and every mistake in it at once."""

from __future__ import annotations

import math

import pytest

from luggage import run
from luggage.errors import LuggageError
from luggage.run.table.cron import Rhythm
from luggage.run.table.entries import Entry
from luggage.run.table.processes import Process, expand

COMMANDS = {"gunicorn", "loop", "standin", "luggage"}
DEADLINES = ("--deadline", "20", "--deadline", "/reports/=300", "--deadline", "/stream/=0")


def test_every_entry_becomes_processes_in_order() -> None:
    """Web gets its app as argument; copies are numbered; a single one is not."""
    asked = (run.Loop("standin"), run.Web("a.b:app"), run.Loop("loop", copies=2))
    assert expand(asked, {}, COMMANDS) == [
        Process("standin", "standin"),
        Process("gunicorn", "gunicorn", ("a.b:app",), kind="web", beat=10, grace=math.inf),
        Process("loop.1", "loop"),
        Process("loop.2", "loop"),
    ]


def test_what_ends_comes_with_what_stays() -> None:
    """Checks, releases and crons, with a rhythm where they have one; the web server's deadlines."""
    asked = (
        run.Check("loop", key=False),
        run.Release("standin"),
        run.Cron("luggages", every="1d", at="03:30"),
        run.Web("a.b:app", deadline=20, deadlines={"/reports/": 300, "/stream/": 0}),
    )
    found = expand(asked, {}, COMMANDS | {"luggages"})
    assert found == [
        Process("loop", "loop", kind="check", key=False),
        Process("standin", "standin", kind="release"),
        Process("luggages", "luggages", kind="cron", rhythm=Rhythm(86_400, 12_600)),
        Process(
            "gunicorn",
            "gunicorn",
            ("a.b:app", *DEADLINES),
            kind="web",
            beat=10,
            grace=math.inf,
        ),
    ]
    assert [process.stays for process in found] == [False, False, True, True]


def test_mistakes_in_what_ends_are_told_as_well() -> None:
    """A rhythm that is none, deadlines that are none."""
    asked = (
        run.Cron("loop", every="1w"),
        run.Cron("standin", every="1h", at="03:30"),
        run.Web("a:b", deadline=-1, deadlines={"reports": 3}),
        run.Release("nobody"),
    )
    with pytest.raises(LuggageError) as caught:
        expand(asked, {}, COMMANDS)
    assert caught.value.message.splitlines() == [
        "process 'loop': every '1w': not a number of s, m, h or d, such as 30s or 1h",
        "process 'standin': at '03:30': only where it is due every so many days, such as 1d",
        "process 'gunicorn': deadline -1: not a number of seconds",
        "process 'gunicorn': deadlines: path 'reports' does not begin with a /",
        "process 'nobody': the deployment has no such command",
    ]


@pytest.mark.parametrize(
    ("asked", "grace"),
    [
        (run.Loop("loop", beat=5), 30),
        (run.Loop("loop", beat=60), 60),
        (run.Loop("loop", beat=5, grace=10), 10),
    ],
)
def test_a_life_has_time_for_its_first_beat(asked: run.Loop, grace: float) -> None:
    """Half a minute, or what was asked for, but never less than a beat."""
    [process] = expand((asked,), {}, COMMANDS)
    assert (process.beat, process.grace) == (asked.beat, grace)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({}, ["loop", "standin"]),
        ({"API_URL": ""}, ["loop", "standin"]),
        ({"API_URL": "x"}, ["loop"]),
    ],
)
def test_unless(environ: dict[str, str], names: list[str]) -> None:
    """A loop is left out where its variable holds something; an empty one counts as not set."""
    asked = (run.Loop("loop"), run.Loop("standin", unless="API_URL"))
    assert [process.name for process in expand(asked, environ, COMMANDS)] == names


def test_all_mistakes_are_told_at_once() -> None:
    """Names, commands, copies, apps and duplicates, a line each."""
    asked = (
        run.Web("no app"),
        run.Web("a:b"),
        run.Loop("loop", copies=0),
        run.Loop("Loop"),
        run.Loop("nobody"),
        run.Loop("luggage", beat=0.5),
        run.Loop("standin", beat=9, grace=5),
        run.Loop("gunicorn", grace=5),
    )
    with pytest.raises(LuggageError) as caught:
        expand(asked, {}, COMMANDS)
    assert caught.value.message.splitlines() == [
        "process 'gunicorn': app 'no app' is not of the form package.module:name",
        "process 'loop': 0 copies, at least 1 is needed",
        "process 'Loop': a command's name is lower-case letters, digits and _",
        "process 'nobody': the deployment has no such command",
        "process 'luggage': beat 0.5: at least 1 second",
        "process 'luggage': the supervisor's own name in the log",
        "process 'standin': grace 5: at least its beat, 9",
        "process 'gunicorn': grace is for one with a beat",
        "process 'gunicorn': in the table more than once",
    ]
    assert caught.value.hint == "mend PROCESSES in the deployment's start.py"


def test_a_mistake_is_told_where_unless_would_hide_it() -> None:
    """What is wrong on one machine is wrong on all."""
    with pytest.raises(LuggageError, match="no such command"):
        expand((run.Loop("loop"), run.Loop("nobody", unless="API_URL")), {"API_URL": "x"}, COMMANDS)


@pytest.mark.parametrize(
    "asked",
    [(), (run.Loop("loop", unless="API_URL"),), (run.Release("loop"), run.Check("standin"))],
)
def test_nothing_to_start_is_an_error(asked: tuple[Entry, ...]) -> None:
    """A supervisor of nothing would wait for ever."""
    with pytest.raises(LuggageError, match="process table: nothing to start"):
        expand(asked, {"API_URL": "x"}, COMMANDS)
