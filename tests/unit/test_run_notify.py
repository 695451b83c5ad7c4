"""What systemd is told, heard on a real datagram socket."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from luggage.run.kernel.notify import AGAIN, MOST, Notify, interval


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket as systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        it.bind(str(tmp_path / "notify"))
        it.setblocking(False)
        yield it


def heard(manager: socket.socket) -> list[list[str]]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


def test_ready_is_told_once_and_the_status_when_it_changes(manager: socket.socket) -> None:
    """Not before it is fit, and not again after a crash."""
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    notify.status(False, "starting")
    notify.status(False, "starting")
    notify.status(True, "ready")
    notify.status(False, "not ready;\nweb is waiting")
    notify.status(True, "ready")
    notify.close()
    assert heard(manager) == [
        ["STATUS=starting"],
        ["READY=1", "STATUS=ready"],
        ["STATUS=not ready;; web is waiting"],
        ["STATUS=ready"],
    ]


def test_a_reload_and_the_stop_are_told(manager: socket.socket) -> None:
    """A reload with its time, as sd_notify(3) asks for."""
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    notify.reloading()
    notify.reloaded()
    notify.alive()
    notify.stopping("signal SIGTERM")
    notify.close()
    notify.alive()
    first, *others = heard(manager)
    assert first[0] == "RELOADING=1"
    assert int(first[1].removeprefix("MONOTONIC_USEC=")) > 0
    assert others == [["READY=1"], ["WATCHDOG=1"], ["STOPPING=1", "STATUS=signal SIGTERM"]]


def test_what_stops_is_not_ready_when_a_reload_has_ended(manager: socket.socket) -> None:
    """One that was under way ends with everything else; nor is a first readiness told then."""
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()})
    notify.reloading()
    notify.stopping("signal SIGTERM")
    notify.reloaded()
    notify.status(True, "ready")
    notify.close()
    assert heard(manager)[1:] == [["STOPPING=1", "STATUS=signal SIGTERM"], ["STATUS=ready"]]


def fill(manager: socket.socket) -> None:
    """Leave no room in its queue."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"X=1", manager.getsockname())


def told(manager: socket.socket) -> list[list[str]]:
    return [lines for lines in heard(manager) if lines != ["X=1"]]


def test_what_is_told_but_once_waits_for_room(manager: socket.socket) -> None:
    """The queue may be full of others' datagrams; of all that it would be told, the order stays."""
    clock = Clock()
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, clock.callLater)
    fill(manager)
    notify.status(True, "ready")
    notify.alive()
    notify.reloading()
    notify.status(True, "ready; loop 'a' is stopped")
    notify.reloaded()
    notify.status(True, "ready; loop 'b' is stopped")
    clock.advance(AGAIN)
    assert told(manager) == []
    clock.advance(AGAIN)
    [ready, [reloading, _], reloaded, status] = told(manager)
    assert (ready, reloading, reloaded) == (["READY=1"], "RELOADING=1", ["READY=1"])
    assert status == ["STATUS=ready; loop 'b' is stopped"]
    assert clock.getDelayedCalls() == [], "nothing waits any more"
    notify.close()


def test_a_sign_of_life_takes_with_it_what_waits(manager: socket.socket) -> None:
    """It does not overtake it, and does not wait itself: the next one comes soon."""
    clock = Clock()
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, clock.callLater)
    fill(manager)
    notify.status(True, "ready")
    notify.alive()
    assert told(manager) == []
    notify.alive()
    assert told(manager) == [["READY=1", "STATUS=ready"], ["WATCHDOG=1"]]
    notify.close()
    clock.advance(AGAIN)
    assert clock.getDelayedCalls() == []


def test_a_manager_that_is_deaf_for_long_costs_no_memory(manager: socket.socket) -> None:
    """A few of the last are kept."""
    clock = Clock()
    notify = Notify({"NOTIFY_SOCKET": manager.getsockname()}, clock.callLater)
    fill(manager)
    for number in range(1000):
        notify.reloading()
        notify.reloaded()
        notify.status(True, f"ready {number}")
    assert told(manager) == []
    found = []
    while clock.getDelayedCalls():
        clock.advance(AGAIN)
        found += told(manager)
    assert len(found) <= MOST
    assert found[-2:] == [["READY=1"], ["STATUS=ready 999"]]
    notify.close()


def test_an_abstract_socket_is_one_as_well() -> None:
    """Its name begins with @, which stands for a zero byte."""
    name = f"luggage-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        it.bind(f"\0{name}")
        it.setblocking(False)
        notify = Notify({"NOTIFY_SOCKET": f"@{name}"})
        notify.alive()
        notify.close()
        assert heard(it) == [["WATCHDOG=1"]]


@pytest.mark.parametrize("name", ["", "vsock:2:1234", "relative", "/nowhere/at/all"])
def test_a_socket_that_is_none_stops_nothing(name: str) -> None:
    """To tell it is left out."""
    notify = Notify({"NOTIFY_SOCKET": name} if name else {})
    notify.status(True, "ready")
    notify.stopping("over")
    notify.close()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_signs_of_life_come_twice_as_often_as_they_are_wanted(
    environ: dict[str, str], seconds: float | None
) -> None:
    """By the process that they are wanted of, and no other."""
    assert interval(environ) == seconds
