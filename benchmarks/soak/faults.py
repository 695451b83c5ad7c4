"""A running deployment → the same with something done to it that could end it.

Each fault does what it does, waits while that lasts, and takes back what does not heal by itself.
It returns what must be seen of it later.
"""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from deployed import DEADLINE, WEB, WORKERS, Deployed, wait_for

CONNECTIONS = 60  # of garbage, at each socket
HELD = 3.0  # seconds for which half-open connections are held
LONG = 2 * DEADLINE  # seconds
ORPHANED = 50.0  # seconds
WAITED_FOR = 60  # seconds
CLOCK = (-86_400, -3_600, -50, 50, 3_600, 86_400, 40 * 86_400)  # seconds


@dataclass(frozen=True)
class Done:
    """What a fault has done. `told`: a line of the log matches each of these. `exits`: how the last
    life of a process has ended since. `hurt`: the processes that had to begin another life.
    `held`: the seconds for which nothing could be answered, as all stood still. `changed`: workers
    had to be replaced. `since`: when it could begin to heal, where that was before it returned."""

    told: tuple[str, ...] = ()
    exits: dict[str, str] = field(default_factory=dict)
    hurt: frozenset[str] = frozenset()
    held: float = 0.0
    changed: bool = False
    since: float | None = None


Act = Callable[[Deployed, random.Random], Done]


@dataclass(frozen=True)
class Fault:
    """`act` does it. `down`: good requests may be without an answer for so many seconds; `lossless`
    where each of them must have one. `deaths`: how many lives of the web server it ends.
    `rounds`: in which it can be.
    """

    name: str
    act: Act
    down: float
    lossless: bool = True
    deaths: int = 0
    rounds: frozenset[str] = frozenset({"usual", "clock", "closed"})


# -- kill -9


def kill_worker(it: Deployed, chance: random.Random) -> Done:
    """One of the web server's."""
    pid = chance.choice(it.workers())
    it.signal(pid, signal.SIGKILL)
    return Done((rf"Worker \(pid:{pid}\) was sent SIGKILL",), changed=True)


def kill_workers(it: Deployed, _chance: random.Random) -> Done:
    """All of them at once."""
    pids = it.workers()
    for pid in pids:
        it.signal(pid, signal.SIGKILL)
    told = tuple(rf"Worker \(pid:{pid}\) was sent SIGKILL" for pid in pids)
    return Done(told, changed=True)


def killer(name: str) -> Act:
    """Of the process `name` of the table, when it has one."""

    def kill(it: Deployed, _chance: random.Random) -> Done:
        pid, since = it.pid(name), time.monotonic()
        it.signal(pid, signal.SIGKILL)
        return _killed(name, since)

    return kill


def _killed(name: str, since: float, why: str = "") -> Done:
    line = rf"{name}: {why}killed by signal 9 \(SIGKILL\) after .* s; (starting|due) "
    return Done(
        (line,),
        {name: "killed by signal 9 (SIGKILL)"},
        frozenset({name}),
        changed=name == WEB,
        since=since,
    )


# -- SIGSTOP


def freeze_worker(it: Deployed, chance: random.Random) -> Done:
    """A worker stands still, for ever."""
    pid, since = chance.choice(it.workers()), time.monotonic()
    it.signal(pid, signal.SIGSTOP)
    wait_for(lambda: pid not in it.workers(), LONG)
    told = rf"worker \(pid {pid}\): no sign of life for .*: killed"
    return Done((told,), changed=True, since=since)


def pause_worker(it: Deployed, chance: random.Random) -> Done:
    """A worker stands still for some seconds, fewer than its deadline."""
    pid = chance.choice(it.workers())
    seconds = chance.uniform(0.2, DEADLINE - 0.8)
    it.signal(pid, signal.SIGSTOP)
    time.sleep(seconds)
    it.signal(pid, signal.SIGCONT)
    told = (rf"worker \(pid {pid}\): goes on",) if seconds > 1.6 else ()
    return Done(told, changed=True)  # a spare may stay for a while, or in its place


def freeze_web(it: Deployed, _chance: random.Random) -> Done:
    """gunicorn's master stands still, for ever; so nobody looks after its workers."""
    pid, since = it.pid(WEB), time.monotonic()
    it.signal(pid, signal.SIGSTOP)
    if not wait_for(lambda: it.status()[WEB]["pid"] not in (pid, None), 25):
        it.signal(pid, signal.SIGCONT)
    return _killed(WEB, since, "no beat for .*: ")


def freeze_beating(it: Deployed, _chance: random.Random) -> Done:
    """A loop with a heart stands still, for ever."""
    pid, since = it.pid("beating"), time.monotonic()
    it.signal(pid, signal.SIGSTOP)
    wait_for(lambda: it.status()["beating"]["pid"] not in (pid, None), 15)
    return _killed("beating", since, "no beat for .*: ")


def pauser(name: str) -> Act:
    """The process `name` stands still for some seconds, and is left alone."""

    def pause(it: Deployed, chance: random.Random) -> Done:
        pid = it.pid(name)
        it.signal(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(0.1, 1.8))
        it.signal(pid, signal.SIGCONT)
        return Done()

    return pause


def pause_all(it: Deployed, chance: random.Random) -> Done:
    """Everything stands still, as where a container is paused: nobody may be killed for that."""
    began = time.monotonic()
    pids = [process.pid for process in it.tree()]
    for pid in pids:
        it.signal(pid, signal.SIGSTOP)
    time.sleep(chance.uniform(1, LONG))
    chance.shuffle(pids)
    for pid in pids:
        it.signal(pid, signal.SIGCONT)
    return Done(held=time.monotonic() - began)


def pause_supervisor(it: Deployed, chance: random.Random) -> Done:
    """The supervisor alone stands still; everything else goes on."""
    it.signal(it.process.pid, signal.SIGSTOP)
    time.sleep(chance.uniform(1, LONG))
    it.signal(it.process.pid, signal.SIGCONT)
    return Done()


def orphan_worker(it: Deployed, chance: random.Random) -> Done:
    """A worker stands still, or has its interpreter's lock held, and its watchdog is killed."""
    workers, since = set(it.workers()), time.monotonic()
    with contextlib.ExitStack() as stack:
        if chance.random() < 0.5:
            it.signal(chance.choice(sorted(workers)), signal.SIGSTOP)
        else:
            stack.enter_context(it.ask("/gil"))
            time.sleep(0.2)
        done = killer(WEB)(it, chance)
        wait_for(lambda: not workers & {process.pid for process in it.tree()}, ORPHANED)
    told = r"gunicorn: what it has left behind has not ended in .*: killed"
    return Done((*done.told, told), done.exits, done.hurt, changed=True, since=since)


# -- no room


def fill(it: Deployed, chance: random.Random) -> Done:
    """The file system of the state folder has no byte left, for some seconds."""
    with it.place.filled():
        time.sleep(chance.uniform(1, 3))
    return Done()


def crowd(it: Deployed, chance: random.Random) -> Done:
    """It has no name left, for some seconds."""
    with it.place.crowded():
        time.sleep(chance.uniform(1, 3))
    return Done()


def while_full(act: Act) -> Act:
    """Something dies, and must come back, where there is no room at all."""

    def both(it: Deployed, chance: random.Random) -> Done:
        how = chance.choice((it.place.filled, it.place.crowded))
        with how():
            if not it.place.full():
                raise RuntimeError("the file system is not full")
            before = it.status()
            done = act(it, chance)
            names = [name for name in done.hurt if name != "tick"]
            wait_for(lambda: _anew(it, before, names), 15)
            time.sleep(1)
        return done

    return both


def _anew(it: Deployed, before: dict[str, dict[str, object]], names: Iterable[str]) -> bool:
    now = it.status()
    same = any(now[name]["pid"] in (before[name]["pid"], None) for name in names)
    return not same and len(it.workers()) >= WORKERS


# -- the log


def stall_log(it: Deployed, chance: random.Random) -> Done:
    """Nobody reads the log for some seconds, in which a loop dies: that is told later."""
    it.stall()
    try:
        time.sleep(chance.uniform(0.5, 2))
        done = killer("plain")(it, chance)
        time.sleep(chance.uniform(0.5, 2))
    finally:
        it.resume()
    return done


def flood_log(it: Deployed, chance: random.Random) -> Done:
    """Nobody reads it, while far more is printed than can be kept: lines are lost, and that is
    told."""
    it.stall()
    try:
        with it.ask("/print/100000") as flood:
            flood.settimeout(60)
            flood.recv(100)
            time.sleep(chance.uniform(0.5, 2))
    finally:
        it.resume()
    return Done((r"\d+ lines lost: nobody read the log",))


# -- requests


def orphans(it: Deployed, _chance: random.Random) -> Done:
    """Three hundred processes whose parent has ended."""
    with it.ask("/orphans/300") as connection:
        connection.settimeout(60)
        connection.recv(100)
    time.sleep(1)
    return Done()


def wedger(kind: str, told: str, most: int) -> Act:
    """Several requests at once that do not end."""

    def wedge(it: Deployed, chance: random.Random) -> Done:
        with contextlib.ExitStack() as stack:
            asked = [
                stack.enter_context(it.ask(f"/{kind}")) for _ in range(chance.randint(1, most))
            ]
            for connection in asked:
                connection.settimeout(2 * LONG)
                with contextlib.suppress(OSError):
                    connection.recv(100)
        return Done((told,), changed=True)

    return wedge


def garbage(it: Deployed, chance: random.Random) -> Done:
    """What is no request, and what is half of one, at every socket."""
    held: list[socket.socket] = []
    places: list[tuple[int, tuple[str, int] | str]] = [
        (socket.AF_INET, ("127.0.0.1", it.port)),
        (socket.AF_INET, ("127.0.0.1", it.management)),
        (socket.AF_UNIX, str(it.place.state / "control")),
        (socket.AF_UNIX, str(it.place.state / "management")),
    ]
    texts = (b"GET / HTTP/1.1\r\nHost: x", b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nx", b"")
    try:
        for number in range(CONNECTIONS):
            for family, address in places:
                connection = socket.socket(family)
                connection.settimeout(1)
                with contextlib.suppress(OSError):
                    connection.connect(address)
                    text = chance.randbytes(chance.randint(1, 2000)) + b"\n"
                    connection.sendall(text if number % 2 else chance.choice(texts))
                held.append(connection)
        time.sleep(HELD)
    finally:
        for connection in held:
            connection.close()
    return Done()


# -- an operator


def operate(*words: str, hurt: Iterable[str] = ()) -> Act:
    """`ctl WORDS`, which succeeds."""

    def act(it: Deployed, _chance: random.Random) -> Done:
        names = frozenset(hurt)
        with it.ctl(*words) as asked:
            text, _ = asked.communicate(timeout=60)
            if asked.returncode:
                raise RuntimeError(f"ctl {' '.join(words)}: {text.decode()}")
        return Done((f"ctl: {words[0]}",), hurt=names, changed=WEB in names)

    return act


def reload_and(act: Act) -> Act:
    """`ctl reload`, and something dies in the middle of it; it may succeed or not."""

    def both(it: Deployed, chance: random.Random) -> Done:
        with it.ctl("reload") as asked:
            time.sleep(chance.uniform(0.1, 1.5))
            done = act(it, chance)
            asked.communicate(timeout=60)
        return Done(done.told, hurt=done.hurt | {WEB}, changed=True)

    return both


def kill_any_web(it: Deployed, chance: random.Random) -> Done:
    """A master or a worker, of any life."""
    mine = it.process.pid
    loops = {told["pid"] for name, told in it.status().items() if name != WEB}
    web = [process for process in it.tree() if process.pid not in {mine, *loops}]
    pid = chance.choice(web).pid
    it.signal(pid, signal.SIGKILL)
    told = rf"({WEB}: killed by signal 9 \(SIGKILL\)|Worker \(pid:{pid}\) was sent SIGKILL)"
    return Done((told,), changed=True)


# -- what stands when everything is to end


def blow(it: Deployed, chance: random.Random) -> tuple[str, contextlib.ExitStack]:
    """Something that must not keep everything from ending; how to take it back."""
    kind = chance.choice(
        ("nothing", "a frozen worker", "a frozen master", "no room", "a full pipe")
    )
    stack = contextlib.ExitStack()
    if kind == "a frozen worker":
        it.signal(chance.choice(it.workers()), signal.SIGSTOP)
    elif kind == "a frozen master":
        it.signal(it.pid(WEB), signal.SIGSTOP)
    elif kind == "no room" and it.place.apart:
        stack.enter_context(it.place.filled())
    elif kind == "a full pipe":
        it.stall()
        stack.callback(it.resume)
        with it.ask("/print/100000") as flood:
            flood.settimeout(60)
            flood.recv(100)
    return kind, stack


# -- the clock


def jump(it: Deployed, chance: random.Random) -> Done:
    """The clock on the wall is set; the cron goes on by what it tells now."""
    before, runs = it.place.offset, it.status()["tick"]["starts"]
    it.place.set_clock(chance.choice(CLOCK))
    step = it.place.offset - before
    if -WAITED_FOR < step < 0:  # nothing runs twice: the time until then is waited for
        time.sleep(3)
    elif not wait_for(lambda: it.status()["tick"]["starts"] > runs, 15):
        raise RuntimeError(f"no cron within 15 s after the clock was set by {step} s")
    # The last of many times that it was due counts, and how many were not is told.
    return Done((r"tick: missed \d+ times",) if step >= 50 else ())


USUAL = frozenset({"usual"})
# No answer of more than so many seconds: what a restart takes on a machine that does other work.
QUICK, WORKER, MASTER = 0.5, 1.0, 1.5

FAULTS = (
    Fault("kill worker", kill_worker, WORKER, lossless=False),
    Fault("kill all workers", kill_workers, WORKER, lossless=False),
    Fault("kill master", killer(WEB), MASTER, deaths=1),
    Fault("kill beating loop", killer("beating"), QUICK),
    Fault("kill plain loop", killer("plain"), QUICK),
    Fault("kill cron", killer("tick"), QUICK),
    Fault("freeze worker", freeze_worker, WORKER, lossless=False),
    Fault("pause worker", pause_worker, WORKER),
    Fault("freeze master", freeze_web, MASTER, deaths=1),
    Fault("pause master", pauser(WEB), QUICK),
    Fault("freeze beating loop", freeze_beating, QUICK),
    Fault("pause beating loop", pauser("beating"), QUICK),
    Fault("pause plain loop", pauser("plain"), QUICK),
    Fault("pause everything", pause_all, WORKER),
    Fault("pause supervisor", pause_supervisor, QUICK),
    Fault("orphaned frozen worker", orphan_worker, MASTER, lossless=False, deaths=1),
    Fault("state folder full", fill, QUICK),
    Fault("state folder crowded", crowd, QUICK),
    Fault("full, kill worker", while_full(kill_worker), WORKER, lossless=False),
    Fault("full, kill master", while_full(killer(WEB)), MASTER, deaths=1),
    Fault("full, kill loop", while_full(killer("beating")), QUICK),
    Fault("log not read", stall_log, QUICK, rounds=USUAL),
    # Those who print wait for a second (luggage/run/log/pressure.py), and then no more.
    Fault("log flooded, not read", flood_log, MASTER, rounds=USUAL),
    Fault("300 orphans", orphans, WORKER),
    # As many as there are places: each gives its own to the next after a second.
    Fault("wedge: lock", wedger("lock", r"overdue: GET /lock", 20), MASTER),
    Fault("wedge: loop", wedger("loop", r"overdue: GET /loop", 4), WORKER),
    Fault("wedge: GIL", wedger("gil", r"no sign of life for .*: killed", 4), MASTER, False),
    Fault("garbage, half-open", garbage, WORKER),
    Fault("ctl reload", operate("reload", hurt=[WEB]), QUICK),
    Fault("ctl restart loop", operate("restart", "plain", hurt=["plain"]), QUICK),
    Fault("ctl restart web", operate("restart", WEB, hurt=[WEB]), 3.0),
    Fault("ctl reload, kill", reload_and(kill_any_web), MASTER, lossless=False, deaths=1),
    Fault("clock set", jump, QUICK, rounds=frozenset({"clock"})),
)
# An operator means it, so nothing heals it: the verdict must be bad. Only where it is asked for.
CONTROL = Fault("control: loop stopped", operate("stop", "plain"), QUICK, rounds=USUAL)
BY_NAME = {fault.name: fault for fault in (*FAULTS, CONTROL)}
