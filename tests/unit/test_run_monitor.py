"""The monitor's decisions, with Twisted's own clock and a reactor that starts nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from luggage.errors import LuggageError
from luggage.run.kernel import ending
from luggage.run.kernel.private import Private
from luggage.run.life.child import Child
from luggage.run.life.monitor import Monitor
from luggage.run.life.receiver import Tolerant, guarded
from luggage.run.log.output import Output
from luggage.run.table.processes import Process


@dataclass
class Transport:
    """A process that does not exist: the signals it got."""

    pid: int = 0
    signals: list[str] = field(default_factory=list)
    pipes: dict[int, Any] = field(default_factory=dict)

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)


class Reactor(Clock):
    """Twisted's clock, and a list of what was to be started."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[tuple[Child, dict[str, Any]]] = []

    def spawnProcess(self, child: Child, program: str, args: list[str], **options: Any) -> None:
        if program == "/missing":
            raise FileNotFoundError(program)
        child.transport = Transport()
        self.spawned.append((child, options))


@dataclass
class World:
    reactor: Reactor
    monitor: Monitor
    said: list[str]
    crashes: list[tuple[str, int]]

    def die(self, name: str, code: int | None = 1, number: int | None = None) -> None:
        child = self.monitor.protocols[name]
        self.monitor.exited(child, code, number)
        self.monitor.ended(child)


@pytest.fixture
def world() -> Iterator[World]:
    reactor, said, crashes = Reactor(), [], []
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[Process("gunicorn", "gunicorn", kind="web"), Process("loop", "loop")],
        descriptors=[
            ("LUGGAGE_KEY_FD", 40),
            ("LUGGAGE_LISTEN_FD", 41),
            ("LUGGAGE_LISTEN_FD", 43),
        ],
        crashed=lambda name, status: crashes.append((name, status)),
        say=said.append,
    )
    made.startService()
    yield World(reactor, made, said, crashes)
    made.close()


def test_pauses_double_up_to_half_a_minute(world: World) -> None:
    """Quick deaths: 0.1 s, 0.2 s, … 30 s; after a life of five seconds there is none."""
    world.monitor.addProcess("loop", ["/loop"])
    pauses = []
    for _ in range(12):
        world.die("loop")
        begun = world.reactor.seconds()
        count = len(world.reactor.spawned)
        while len(world.reactor.spawned) == count:
            world.reactor.advance(0.05)
        pauses.append(round(world.reactor.seconds() - begun, 1))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]
    world.reactor.advance(5)
    world.die("loop")
    assert world.said[-1].endswith("starting it again now")
    assert world.crashes == []


def test_a_web_server_that_never_becomes_ready_is_a_crash(world: World) -> None:
    """The fifth death in a row, with the exit status of that one."""
    world.monitor.addProcess("gunicorn", ["/gunicorn"])
    for _ in range(4):
        world.die("gunicorn", 3)
        world.reactor.advance(10)
    assert world.crashes == []
    world.die("gunicorn", 3)
    assert world.crashes == [("gunicorn", 3)]


def test_a_web_server_that_was_ready_is_none(world: World) -> None:
    """However often it is killed, it comes back; being ready once forgets the earlier deaths."""
    world.monitor.addProcess("gunicorn", ["/gunicorn"])
    for life in range(30):
        if life % 4 == 3:
            world.monitor.became_ready(world.monitor.protocols["gunicorn"])
        world.die("gunicorn", None, 9)
        world.reactor.advance(40)
    assert world.crashes == []


def test_a_loop_is_never_a_crash_of_everything(world: World) -> None:
    """The page is still served while a loop cannot run."""
    world.monitor.addProcess("loop", ["/missing"])
    for _ in range(40):
        world.reactor.advance(31)
    assert world.crashes == []
    assert "error: loop: cannot be started: /missing" in world.said


def test_one_that_cannot_be_started_leaves_nothing(tmp_path: Path) -> None:
    """It is tried for ever: a folder each time would fill what holds them."""
    for name in ("tmp", "kept"):
        (tmp_path / name).mkdir()
    reactor = Reactor()
    made = Monitor(
        reactor,
        Output(lambda _: None, []),
        processes=[],
        descriptors=[],
        crashed=lambda *_: None,
        say=lambda _: None,
        rooms=Private(tmp_path / "tmp", tmp_path / "kept"),
    )
    made.startService()
    made.addProcess("loop", ["/missing"])
    for _ in range(5):
        reactor.advance(31)
    made.close()
    assert len(list((tmp_path / "tmp").iterdir())) <= 1


def test_one_that_is_dead_as_soon_as_it_is_started_waits(world: World) -> None:
    """Twisted tells of its end before it returns, and it is shown as what it is."""
    spawn = world.reactor.spawnProcess

    def dead(child: Child, *words: Any, **options: Any) -> None:
        spawn(child, *words, **options)
        world.monitor.exited(child, 1, None)
        world.monitor.ended(child)

    world.reactor.spawnProcess = dead  # type: ignore[method-assign]
    world.monitor.addProcess("loop", ["/loop"])
    [state] = world.monitor.states()
    assert (state.state, state.pid, state.starts) == ("waiting", None, 1)


@pytest.mark.parametrize(
    ("ended", "words", "status"),
    [
        ((0, None), "exited with status 0", 1),
        ((7, None), "exited with status 7", 7),
        ((None, 9), "killed by signal 9 (SIGKILL)", 137),
        ((None, 40), "killed by signal 40", 168),
    ],
)
def test_how_a_process_ended(ended: tuple[int | None, int | None], words: str, status: int) -> None:
    """Status or signal in words; a crash's status is never 0."""
    assert ending.how(*ended) == words
    assert ending.status(*ended) == status


class Reader:
    """The monitor's end of a pipe, as Twisted has it, and unread."""

    def __init__(self, child: Child, descriptor: int) -> None:
        self._child, self._descriptor = child, descriptor

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._child.childDataReceived(1, os.read(self._descriptor, 8192))


@pytest.fixture
def printing() -> Iterator[tuple[Child, int, list[bytes]]]:
    """A loop, the end of the pipe into which it prints, and what is told."""
    told: list[bytes] = []
    out = Output(told.append, ["loop"])
    reactor = Reactor()
    made = Monitor(reactor, out, processes=[], descriptors=[], crashed=lambda *_: None, say=out.say)
    made.startService()
    made.addProcess("loop", ["/loop"])
    [(child, _)] = reactor.spawned
    reader, writer = os.pipe()
    child.transport.pipes[1] = Reader(child, reader)
    yield child, writer, told
    os.close(reader)
    made.close()


def test_last_words_stand_before_the_news_of_the_end(
    printing: tuple[Child, int, list[bytes]],
) -> None:
    """What a process has printed is told before its end, whichever the kernel tells first."""
    child, writer, told = printing
    os.write(writer, b"a line\n" * 1500 + b"last words")
    child.processExited(Failure(ProcessTerminated(7)))
    os.close(writer)
    text = b"".join(told)
    assert text.count(b"loop    | a line\n") == 1500
    assert text.index(b"a line") < text.index(b"luggage | loop: exited with status 7")


def test_last_words_without_a_line_end_stand_before_it_as_well(
    printing: tuple[Child, int, list[bytes]],
) -> None:
    """Where nobody else has the other end of its output: what it began, nobody goes on with."""
    child, writer, told = printing
    os.write(writer, b"last words")
    os.close(writer)
    child.processExited(Failure(ProcessTerminated(7)))
    child.childConnectionLost(1)
    text = b"".join(told)
    assert text.count(b"loop    | last words\n") == 1
    assert text.index(b"last words") < text.index(b"luggage | loop: exited with status 7")


def test_descriptors_go_to_those_that_are_told_of_them(world: World) -> None:
    """A process added by hand gets neither the key nor the socket."""
    world.monitor.addProcess("gunicorn", ["/g"], env={"LUGGAGE_LISTEN_FD": "41"})
    world.monitor.addProcess("loop", ["/l"], env={"LUGGAGE_KEY_FD": "40"})
    world.monitor.addProcess("other", ["/o"])
    world.monitor.addProcess("standin", ["/s"], env={"LUGGAGE_LISTEN_FD": "43"})
    (_, web), (_, loop), (_, other), (_, standin) = world.reactor.spawned
    assert set(web["childFDs"]) == {0, 1, 2, 41, 42}
    assert web["env"]["LUGGAGE_READY_FD"] == "42"
    assert set(loop["childFDs"]) == {0, 1, 2, 40}
    assert set(other["childFDs"]) == {0, 1, 2}
    assert set(standin["childFDs"]) == {0, 1, 2, 43}
    assert set(other["env"]) == {"PATH", "LUGGAGE_SUPERVISOR"}


def test_stopping_goes_by_stages(world: World) -> None:
    """What serves first, then the rest, then the end; nothing is started any more."""
    for name in ("gunicorn", "loop", "spare"):
        world.monitor.addProcess(name, ["/" + name])
    world.die("spare")
    stopped: list[bool] = []
    children = dict(world.monitor.protocols)
    world.monitor.stop(lambda: stopped.append(True))
    assert children["gunicorn"].transport.signals == ["TERM"]
    assert children["loop"].transport.signals == []
    world.reactor.advance(20)
    assert "spare" not in world.monitor.protocols
    world.die("gunicorn", 0)
    assert children["loop"].transport.signals == ["TERM"]
    assert stopped == []
    world.die("loop", None, 15)
    assert stopped == [True]
    assert world.reactor.getDelayedCalls() == []


def test_what_ignores_term_is_killed_with_its_group(world: World) -> None:
    """After 35 s, longer than gunicorn gives its requests: the process and all it forked."""
    script = "sleep 100 & trap '' TERM; echo up; wait; wait"
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        world.monitor.addProcess("loop", ["/l"])
        world.monitor.protocols["loop"].transport.pid = process.pid
        world.monitor.stop(lambda: None)
        world.reactor.advance(34.9)
        assert process.poll() is None
        world.reactor.advance(0.2)
        assert process.wait(5) == -9
        assert process.stdout.read() == b"", "the sleep that held the pipe is gone as well"
    assert world.said[-1] == "error: loop: still runs 35 s after TERM: killed"


def test_what_may_not_be_killed_keeps_nothing_else_from_its_next_life(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent loop's group may hold what has become another user's, such as a sudo."""

    def refused(group: int, number: int) -> None:
        raise PermissionError(group, number)

    world.monitor.addProcess("loop", ["/loop"])
    child = world.monitor.protocols["loop"]
    child.transport.pid = 2**22 + 1  # no process has such a number
    monkeypatch.setattr(os, "killpg", refused)
    monkeypatch.setattr(os, "getpgid", lambda pid: pid)
    child.abort("no beat: ", 1)
    world.reactor.advance(2)
    child.processExited(Failure(ProcessTerminated(None, 9)))
    assert world.monitor.states()[0].state == "waiting"


LEFT = "left behind, as it does not end, even when killed"


class Foreign(Transport):
    """A process that has become another user's, where the supervisor has no CAP_KILL."""

    def signalProcess(self, name: str) -> None:
        raise PermissionError(1, "Operation not permitted")


def test_what_cannot_be_signalled_does_not_stop_the_end_of_all_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once, with what to do; all others are asked, and what is left is told."""

    def refused(pid: int, number: int) -> None:
        raise PermissionError(pid, number)

    monkeypatch.setattr(os, "kill", refused)
    for name in ("gunicorn", "loop", "spare"):
        world.monitor.addProcess(name, ["/" + name])
    children = dict(world.monitor.protocols)
    for name in ("gunicorn", "loop"):
        children[name].transport = Foreign(pid=2**22 + len(name))  # no process has such a number
    for order in (world.monitor.restart, world.monitor.halt):
        with pytest.raises(LuggageError, match="process 'loop': cannot be signalled"):
            order("loop")
    stopped: list[bool] = []
    world.monitor.stop(lambda: stopped.append(True))
    world.reactor.advance(35)
    assert children["spare"].transport.signals == []
    world.reactor.advance(3)
    web = 2**22 + len("gunicorn")
    assert [line for line in world.said if line.startswith("error: gunicorn")] == [
        f"error: gunicorn: pid {web} cannot be signalled, as it runs as another user: end it by "
        "hand, or let luggage have CAP_KILL"
    ]
    assert not [line for line in world.said if "killed" in line and "even when" not in line]
    assert f"error: {LEFT}: gunicorn (pid {web})" in world.said
    assert children["spare"].transport.signals == ["TERM"]
    world.die("spare", None, 15)
    world.reactor.advance(35)
    assert not stopped
    world.reactor.advance(3)
    assert stopped == [True]
    assert world.said[-1] == f"error: {LEFT}: loop (pid {2**22 + len('loop')})"
    assert world.reactor.getDelayedCalls() == []


def test_what_does_not_die_of_a_kill_is_left_behind(world: World) -> None:
    """One that the kernel does not let go of, as on a dead file system; all else ends."""
    world.monitor.addProcess("loop", ["/loop"])
    world.monitor.protocols["loop"].transport.pid = None
    stopped: list[bool] = []
    world.monitor.stop(lambda: stopped.append(True))
    world.reactor.advance(35)
    world.reactor.advance(2.9)
    assert not stopped
    world.reactor.advance(0.2)
    assert stopped == [True]
    assert world.said[-1].startswith(f"error: {LEFT}: loop ")


def test_workers_that_outlive_their_master_are_waited_for(world: World) -> None:
    """A process whose output is still open may be answering a request; but not for ever."""
    world.monitor.addProcess("gunicorn", ["/g"])
    world.monitor.addProcess("loop", ["/l"])
    loop = world.monitor.protocols["loop"]
    world.monitor.exited(world.monitor.protocols["gunicorn"], None, 9)
    world.monitor.stop(lambda: None)
    world.reactor.advance(30)
    assert loop.transport.signals == []
    world.reactor.advance(7)
    assert loop.transport.signals == ["TERM"]


def test_what_is_wrong_with_one_file_is_told_and_left_out(world: World) -> None:
    """Removing or mending it afterwards works as if it had never been."""
    receiver = Tolerant(world.monitor, {"A": "1"}, world.said.append)
    receiver.add("bad", b"{")
    receiver.remove("bad")
    receiver.add("bad", b'{"args": ["/x"], "env_inherit": ["A", "B"], "group": ["g"]}')
    [(_, options)] = world.reactor.spawned
    assert options["env"]["A"] == "1"
    assert "NCOLONY_CONFIG" not in options["env"]
    for text in (b"{}", b'{"type": "RESTART", "name": "nobody"}', b"\xff"):
        receiver.message(text)
    assert len([line for line in world.said if line.startswith("message: thrown away")]) == 3
    receiver.message(b'{"type": "RESTART-GROUP", "group": "g"}')
    assert world.monitor.protocols["bad"].transport.signals == ["TERM"]


def test_what_the_table_has_does_not_end_with_its_file(world: World) -> None:
    """A folder that is swept, file by file, would stop everything, for good."""
    receiver = Tolerant(world.monitor, {}, world.said.append)
    for name in ("loop", "other"):
        receiver.add(name, b'{"args": ["/x"]}')
    for name in ("loop", "other"):
        receiver.remove(name)
    (loop, _), (other, _) = world.reactor.spawned
    assert (loop.transport.signals, other.transport.signals) == ([], ["TERM"])
    assert world.said == ["configuration 'loop': gone, or another; what the table has goes on"]
    receiver.add("loop", b'{"args": ["/y"]}')
    world.die("loop")
    world.reactor.advance(1)
    assert world.reactor.spawned[-1][0].name == "loop"


def test_an_exception_is_told_once_in_a_row() -> None:
    """A look that fails twice a second does not fill the log."""
    said: list[str] = []
    problems: list[Exception | None] = [OSError("x"), OSError("x"), None, OSError("x")]

    def check() -> None:
        problem = problems.pop(0)
        if problem:
            raise problem

    run = guarded(check, "messages", said.append)
    for _ in range(4):
        run()
    assert said == ["messages: OSError: x"] * 2
