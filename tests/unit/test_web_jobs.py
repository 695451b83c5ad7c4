"""Who holds a place in a worker, for how long, and when a request is overdue."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from luggage.web.deadlines import Deadlines
from luggage.web.job import HELD, SLOW, Job
from luggage.web.jobs import MOST, PRESSED, REQUEST, Jobs
from luggage.web.look import patience
from luggage.web.overdue import Overdue
from luggage.web.slate import FULL, REQUESTS, Served, Slate
from luggage.web.slate import HELD as HELD_FOR_GOOD


class Clock:
    """A clock that only goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slate() -> Iterator[Slate]:
    slate = Slate()
    yield slate
    slate.close()


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    with socket.socket() as it:
        yield it


@pytest.fixture
def jobs(clock: Clock, slate: Slate) -> Jobs:
    return Jobs(2, slate, clock)


def entered(jobs: Jobs, connection: socket.socket, allowed: float = 10) -> Job:
    job = jobs.add(connection)
    jobs.arrive(job)
    jobs.enter(job, "GET / id", allowed)
    return job


def test_the_longest_prefix_decides() -> None:
    """A route's own deadline, else the usual one; 0 is for ever."""
    deadlines = Deadlines(30, {"/reports/": 300, "/reports/live": 0, "/a": 5})
    assert [deadlines.of(path) for path in ("/", "/reports/x", "/reports/live", "/ab")] == [
        30,
        300,
        0,
        5,
    ]


def test_places_are_taken_and_given_back(jobs: Jobs, connection: socket.socket) -> None:
    """Two requests fill two places; one that ends makes room."""
    one = entered(jobs, connection)
    assert jobs.room()
    entered(jobs, connection)
    assert not jobs.room()
    jobs.leave(one)
    jobs.remove(one)
    assert jobs.room()


def test_a_slow_client_holds_no_place(jobs: Jobs, clock: Clock, connection: socket.socket) -> None:
    """Neither before its request is there, nor while its body comes."""
    waiting = jobs.add(connection)
    jobs.arrive(waiting)
    sending = entered(jobs, connection)
    assert not jobs.room()
    jobs.pause(sending)
    clock.now += SLOW
    assert jobs.room()
    jobs.resume(sending)
    jobs.resume(waiting)
    assert not jobs.room()


def test_a_held_place_is_given_to_others_up_to_a_limit(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """A request that has run for seconds keeps no other out, until there are too many of these."""
    for _ in range(MOST):
        assert jobs.room()
        entered(jobs, connection)
        entered(jobs, connection)
        assert not jobs.room()
        clock.now += HELD
    assert not jobs.room()
    assert jobs.tick() == (2 * MOST, HELD_FOR_GOOD)


def test_who_computes_is_told_from_who_waits(slate: Slate, connection: socket.socket) -> None:
    """Of two requests that have run for long, one computes and the other waits: one computes."""
    jobs = Jobs(2, slate)
    stop = threading.Event()

    def run(does: Callable[[], object]) -> None:
        job = entered(jobs, connection)
        job.spent = HELD
        while not stop.is_set():
            does()
        jobs.leave(job)

    threads = [
        threading.Thread(target=run, args=(lambda: sum(range(1000)),)),
        threading.Thread(target=run, args=(lambda: stop.wait(0.05),)),
    ]
    for thread in threads:
        thread.start()
    try:
        while jobs.tick()[0] < 2:
            time.sleep(0.01)
        jobs.computing()
        time.sleep(0.5)
        assert jobs.computing() == 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_only_the_apps_time_counts(jobs: Jobs, clock: Clock, connection: socket.socket) -> None:
    """What the client takes to send or read does not make a request overdue."""
    job = entered(jobs, connection, allowed=10)
    clock.now += 6
    jobs.pause(job)
    clock.now += 100
    jobs.resume(job)
    clock.now += 3
    assert jobs.late() == []
    clock.now += 2
    assert jobs.late() == [job]
    assert jobs.leave(job) == pytest.approx(111)


def test_each_part_of_an_answer_has_the_whole_time(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """A stream that goes on is not overdue, however long it is."""
    job = entered(jobs, connection, allowed=10)
    for _ in range(5):
        clock.now += 9
        jobs.pause(job)
        jobs.gave(job)
        jobs.resume(job)
    assert jobs.late() == []
    clock.now += 11
    assert jobs.late() == [job]


def test_time_in_which_nobody_could_run_is_forgiven(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """A laptop that slept for an hour has no overdue request."""
    job = entered(jobs, connection, allowed=10)
    clock.now += 3609
    jobs.excuse(3600)
    assert jobs.late() == []
    clock.now += 2
    assert jobs.late() == [job]


def test_zero_is_for_ever(jobs: Jobs, clock: Clock, connection: socket.socket) -> None:
    """A route without a deadline is never overdue."""
    entered(jobs, connection, allowed=0)
    clock.now += 10**6
    assert jobs.late() == []


def test_who_waits_for_a_place_gets_the_next_one(
    jobs: Jobs, connection: socket.socket, clock: Clock
) -> None:
    """The third request runs when the first is over, and its time counts from then on."""
    first = entered(jobs, connection)
    entered(jobs, connection)
    third: list[Job] = []
    thread = threading.Thread(target=lambda: third.append(entered(jobs, connection)))
    thread.start()
    thread.join(0.1)
    assert third == []
    clock.now += 1
    jobs.leave(first)
    jobs.remove(first)
    thread.join(10)
    assert third[0].took(clock.now) == 0


def test_an_interruption_is_taken_back_where_it_comes_too_late(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """A request that has just ended is not told, nor is the thread's next one."""
    job = entered(jobs, connection, allowed=1)
    jobs.leave(job)
    clock.now += 5
    assert not jobs.tell(job)
    jobs.resume(job)
    clock.now += 5
    with pytest.raises(Overdue):
        assert jobs.tell(job)
        for _ in range(10**6):
            pass
    jobs.leave(job)


def test_who_is_given_up_is_told_before_it_can_answer(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """Its thread waits meanwhile: else two answers could stand in one."""
    job = entered(jobs, connection, allowed=1)
    done = threading.Event()

    def end() -> None:
        jobs.leave(job)
        done.set()

    def refuse(refused: Job) -> None:
        assert refused is job
        threading.Thread(target=end).start()
        assert not done.wait(0.2)

    clock.now += 5
    job.thread = 0  # nobody is interrupted
    assert jobs.tell(job)
    assert not jobs.give_up(job, 0.15, refuse)
    clock.now += 1
    assert jobs.give_up(job, 0.15, refuse)
    assert done.wait(10)
    assert not jobs.give_up(job, 0.15, refuse)


def test_who_waits_is_let_in_beside_those_that_are_stuck(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """They never end; the worker leaves, and answers all others first."""
    for _ in range(2 * MOST):
        job = entered(jobs, connection, allowed=1)
        job.thread = 0
        clock.now += HELD
    clock.now += 1
    for job in jobs.late():
        assert jobs.tell(job)
    clock.now += 1
    for job in jobs.late():
        assert jobs.give_up(job, 0.15, lambda _: None)
    last: list[Job] = []
    thread = threading.Thread(target=lambda: last.append(entered(jobs, connection)), daemon=True)
    thread.start()
    thread.join(10)
    assert last


def test_nobody_comes_whom_no_thread_is_left_for(jobs: Jobs, connection: socket.socket) -> None:
    """Other workers may have some."""
    for _ in range(jobs.threads):
        jobs.pause(entered(jobs, connection))
    assert not jobs.room()


def test_the_client_is_waited_for_once(jobs: Jobs, clock: Clock, connection: socket.socket) -> None:
    """What reads the body when the request is over takes it into nobody's hands again; and where
    the client fails, that is known."""

    def fail() -> None:
        raise ConnectionResetError(104, "gone")

    job = entered(jobs, connection, allowed=10)
    with pytest.raises(ConnectionResetError):
        jobs.client(job, fail)
    assert job.gone
    jobs.leave(job)
    assert jobs.client(job, lambda: 7) == 7
    clock.now += 100
    assert jobs.late() == []


def test_the_master_sees_what_is_served(
    jobs: Jobs, slate: Slate, connection: socket.socket, clock: Clock
) -> None:
    """What, since when and for how long; and nothing when it is over."""
    job = entered(jobs, connection, allowed=7)
    [served] = slate.served()
    assert (served.what, served.since, served.allowed) == ("GET / id", clock.now, 7)
    jobs.leave(job)
    assert slate.served() == []


def test_the_master_sees_what_has_been_told(
    jobs: Jobs, slate: Slate, connection: socket.socket, clock: Clock
) -> None:
    """It does not count it again, and not at all what the worker says that it has lost."""
    job = entered(jobs, connection, allowed=1)
    job.thread = 0
    clock.now += 2
    assert [it.told for it in slate.served()] == [False]
    assert jobs.tell(job)
    assert [it.told for it in slate.served()] == [True]
    jobs.leave(job)
    jobs.enter(job, "GET / id", 1)
    assert [it.told for it in slate.served()] == [False]
    slate.clear()
    assert slate.served() == []


def test_what_is_refused_is_not_lost(jobs: Jobs, connection: socket.socket, clock: Clock) -> None:
    """Its client has an answer; what is cut off in its middle has none."""
    whole, cut = (entered(jobs, connection, allowed=1) for _ in range(2))
    cut.what = "GET /cut id"
    cut.untold = False
    clock.now += 2
    for job in (whole, cut):
        job.thread = 0
        assert jobs.tell(job)
    clock.now += 1
    for job in (whole, cut):
        assert jobs.give_up(job, 0.15, lambda _: None)
    assert [job.refused for job in (whole, cut)] == [True, False]
    assert jobs.lost() == ["GET /cut id"]


def test_a_slate_has_no_end() -> None:
    """More requests than it has lines for are served as well; a long path is cut, not refused."""
    slate = Slate()
    places = [slate.begin("é" * 500, 1.0, 1.0) for _ in range(REQUESTS + 3)]
    assert len(slate.served()) == REQUESTS
    assert places[-3:] == [-1, -1, -1]
    for place in places:
        slate.end(place)
    assert slate.served() == []
    assert (slate.beats, slate.trouble, slate.serving, slate.leaving) == (0, 0, False, "")
    slate.beat(HELD_FOR_GOOD)
    slate.relieve(by_others=True)
    slate.serve()
    slate.leave("memory")
    assert (slate.beats, slate.trouble, slate.serving, slate.leaving) == (1, 1, True, "memory")
    assert slate.relieved
    slate.close()


def cut(jobs: Jobs) -> list[Job]:
    """Those that are cut off now."""
    found: list[Job] = []
    jobs.cut_off(found.append)
    return found


def test_a_client_has_so_long_to_ask(jobs: Jobs, clock: Clock, connection: socket.socket) -> None:
    """Not one that the app has, nor one whose turn has not come; and each is told of once."""
    slow = jobs.add(connection)
    jobs.arrive(slow)
    entered(jobs, connection)
    jobs.add(connection)
    clock.now += REQUEST
    assert cut(jobs) == []
    clock.now += 0.1
    assert cut(jobs) == [slow]
    assert cut(jobs) == []
    with pytest.raises(ConnectionResetError):
        jobs.enter(slow, "GET / id", 10)  # it has come after all, and was told to ask again
    assert slow.gone


def test_time_in_which_nobody_could_run_is_none_of_a_clients(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    slow = jobs.add(connection)
    jobs.arrive(slow)
    clock.now += 2 * REQUEST
    jobs.excuse(1.5 * REQUEST)
    assert cut(jobs) == []
    clock.now += REQUEST
    assert cut(jobs) == [slow]


def test_where_clients_have_all_threads_the_slowest_go(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """One after another, oldest first; others are told of it meanwhile."""
    waiting = [jobs.add(connection) for _ in range(jobs.threads)]
    for job in waiting:
        jobs.arrive(job)
        clock.now += 0.001
    assert jobs.tick() == (jobs.threads, FULL)
    assert cut(jobs) == []
    clock.now += PRESSED
    assert [cut(jobs), cut(jobs)] == [[waiting[0]], [waiting[1]]]
    jobs.remove(waiting[0])
    assert jobs.tick() == (jobs.threads - 1, 0)
    assert cut(jobs) == []


def test_a_long_path_keeps_its_id(slate: Slate) -> None:
    """The id is what other lines have as well."""
    what = f"GET /{'a' * 300} {'5' * 64}"
    slate.begin(what, 1.0, 10)
    [served] = slate.served()
    assert served.what.startswith("GET /aaa")
    assert served.what.endswith(f"a... {'5' * 64}")


def test_who_may_take_for_ever_is_waited_for_as_others_are() -> None:
    """A stream would switch off the watch of all that stands still beside it."""
    quick, stream = Served("GET / a", 1.0, 2.0, False), Served("GET /s b", 1.0, 0.0, False)
    assert patience([quick], 30) == 2.0
    assert patience([quick, stream], 30) == 30
    assert patience([stream], 30) == 30
    assert patience([stream], 0) == patience([], 0) == math.inf


def test_who_sends_little_by_little_holds_no_place(
    jobs: Jobs, clock: Clock, connection: socket.socket
) -> None:
    """Each bit of a slow upload is in the app's hands for a moment, and then the next is waited
    for: that is one long wait."""
    slow = [entered(jobs, connection) for _ in range(2)]
    for _ in range(5):
        for job in slow:
            jobs.pause(job)
        clock.now += SLOW / 2
        for job in slow:
            jobs.resume(job)
        clock.now += 0.001
    for job in slow:
        jobs.pause(job)
    assert jobs.room()
    jobs.resume(slow[0])
    clock.now += 2 * SLOW
    jobs.pause(slow[0])
    jobs.pause(slow[1])
    entered(jobs, connection)
    assert not jobs.room(), "after a while in the app it is a client's that may come at once"
