"""A request's id: which are taken over, and who has one."""

from __future__ import annotations

import os
import random
import re
import threading

import pytest

from luggage.web.request_id import CURRENT, accepted, current

NEW = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize(
    "given", ["a", "0", "A.b_c-9", "6f1c1b1e-8f0b-4a53-9c33-0f2f2f4f8d11", "x" * 64]
)
def test_a_harmless_id_is_kept(given: str) -> None:
    """What the client, or the balancer in front, calls the request is what the log calls it."""
    assert given == accepted(given)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "x" * 65,
        "a b",
        "a\n",
        "\na",
        "a\r\nforged",
        "a\x1b[2J",
        "a\x9b2J",
        "a\u2028b",
        'a"b',
        "a,b",
        "a=b",
        "é",
        "٣",
        "a\0",
    ],
)
def test_any_other_id_is_replaced(given: str | None) -> None:
    """What could forge a line, break out of a field or move a terminal never gets into the log."""
    assert NEW.fullmatch(accepted(given))


def test_new_ids_differ() -> None:
    """Two requests without an id are told apart."""
    assert len({accepted(None) for _ in range(1000)}) == 1000


def test_outside_a_request_there_is_none() -> None:
    """Where no request is answered, there is no id to be mixed up with one."""
    assert current() is None


def test_a_thread_of_the_app_has_none() -> None:
    """A thread that a request starts may outlive it: its lines are not the request's."""
    seen: list[str | None] = []
    token = CURRENT.set("mine")
    try:
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        assert current() == "mine"
    finally:
        CURRENT.reset(token)
    assert seen == [None]


def test_ids_of_forked_workers_differ() -> None:
    """Also where the app seeds the random numbers that all may use."""
    read, write = os.pipe()
    for _ in range(2):
        if not (pid := os.fork()):
            random.seed(0)
            os.write(write, accepted(None).encode())
            os._exit(0)
        os.waitpid(pid, 0)
    random.seed(0)
    made = os.read(read, 64).decode()
    os.close(read)
    os.close(write)
    assert len({made[:32], made[32:], accepted(None)}) == 3
