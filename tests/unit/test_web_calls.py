"""Threads have calls for the main thread: none is lost, and a wake is written for many."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

import pytest

from luggage.web.calls import Calls


@pytest.fixture
def calls() -> Iterator[Calls]:
    """A queue with its pipe."""
    made = Calls()
    made.init()
    yield made
    made.close()


def _wakes(calls: Calls) -> bool:
    return bool(select.select([calls.fileno()], [], [], 0)[0])


def test_many_calls_wake_once(calls: Calls) -> None:
    """There is one byte for all of them, and all are made, in their order."""
    made: list[int] = []
    for number in range(1000):
        calls.defer(made.append, number)
    assert len(os.read(calls.fileno(), 4096)) == 1
    calls.run_callbacks(None)
    assert made == list(range(1000))
    assert not _wakes(calls)


def test_a_call_that_comes_while_others_are_made_wakes_again(calls: Calls) -> None:
    """It is not made at once, else those that make new ones would keep the main thread."""
    made: list[str] = []

    def first() -> None:
        made.append("first")
        calls.defer(made.append, "second")

    calls.defer(first)
    calls.run_callbacks(None)
    assert made == ["first"]
    assert _wakes(calls)
    calls.run_callbacks(None)
    assert made == ["first", "second"]


def test_one_that_fails_leaves_the_others(calls: Calls) -> None:
    """gunicorn's own go on at the next wake, so those behind it need one."""
    made: list[str] = []
    calls.defer(int, "no number")
    calls.defer(made.append, "second")
    with pytest.raises(ValueError, match="no number"):
        calls.run_callbacks(None)
    assert _wakes(calls)
    calls.run_callbacks(None)
    assert made == ["second"]


def test_none_is_lost_between_threads(calls: Calls) -> None:
    """Eight threads have 20,000 calls each; the main thread waits for a wake before each look."""
    made = [0]

    def count() -> None:
        made[0] += 1

    def defer() -> None:
        for _ in range(20_000):
            calls.defer(count)

    threads = [threading.Thread(target=defer) for _ in range(8)]
    for thread in threads:
        thread.start()
    while made[0] < 160_000:
        assert select.select([calls.fileno()], [], [], 10)[0], f"asleep after {made[0]} calls"
        calls.run_callbacks(None)
    for thread in threads:
        thread.join()
