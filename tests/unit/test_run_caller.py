"""Who asks a supervisor: finding it, and what it answers."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luggage.errors import LuggageError
from luggage.run.operate import caller
from luggage.run.start.state import folder as taken

Answer = Callable[[socket.socket], object]


@pytest.fixture
def serve() -> Iterator[Callable[[Path, Answer], None]]:
    """Lets somebody listen in a state folder, and answer one caller."""
    open_: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def listen(folder: Path, answer: Answer) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with caller.short(str(folder)) as path:
            listener.bind(path)
        listener.listen()
        open_.append(listener)

        def work() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                answer(connection)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield listen
    for listener in open_:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)


def lines(*told: object) -> Answer:
    """Reads the request, and answers with lines of JSON."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        for it in told:
            connection.sendall(json.dumps(it).encode() + b"\n")

    return answer


def refused(
    environ: dict[str, str], state: str | None = None, *, usual: Path, memory: Path
) -> LuggageError:
    with pytest.raises(LuggageError) as caught:
        caller.find(environ, state, usual=str(usual), memory=str(memory))
    return caught.value


def test_the_supervisor_in_luggage_run_is_found(
    tmp_path: Path, serve: Callable[[Path, Answer], None]
) -> None:
    """As `start` made its folder there, and no other place is looked at."""
    serve(tmp_path / "luggage", lines({"status": 0, "result": 7}))
    folder, connection = caller.find({"LUGGAGE_RUN": str(tmp_path)})
    assert folder == str(tmp_path / "luggage")
    assert caller.ask(connection, "status") == 7


@pytest.mark.parametrize("part", [".", "luggage"])
def test_state_names_the_folder_or_what_it_lies_in(
    tmp_path: Path, serve: Callable[[Path, Answer], None], part: str
) -> None:
    """--state takes what the log of a start, or LUGGAGE_RUN, says."""
    serve(tmp_path / "luggage", lines({"status": 0}))
    folder, connection = caller.find({}, str(tmp_path / part))
    connection.close()
    assert Path(folder) == tmp_path / "luggage"


def test_a_long_path_is_no_hindrance(tmp_path: Path, serve: Callable[[Path, Answer], None]) -> None:
    """The kernel takes 107 bytes of a socket's path; a state folder may lie deeper."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    serve(deep / "luggage", lines({"status": 0, "result": "deep"}))
    _, connection = caller.find({"LUGGAGE_RUN": str(deep)})
    assert caller.ask(connection, "status") == "deep"


def test_where_nothing_runs_it_is_said_where_was_looked(tmp_path: Path) -> None:
    """A folder that a killed supervisor has left, socket and all, is none."""
    folder = tmp_path / "luggage"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead, caller.short(str(folder)) as at:
        dead.bind(at)
    for environ, state in (
        ({"LUGGAGE_RUN": str(tmp_path)}, None),
        ({}, str(tmp_path)),
        ({}, str(folder)),
    ):
        error = refused(environ, state, usual=tmp_path, memory=tmp_path)
        assert str(tmp_path) in error.message
        assert "no luggage runs there" in error.message
        assert error.hint


def test_one_that_has_its_folder_and_does_not_listen_is_told(tmp_path: Path) -> None:
    """It is at its checks and releases, or ends; whether its folder is named, usual or fresh."""
    for environ, usual in (
        ({"LUGGAGE_RUN": str(tmp_path / "named")}, None),
        ({}, tmp_path),
        ({}, tmp_path / "none"),
    ):
        with taken(environ, usual) as path:
            asked = {"state": str(path)} if usual == tmp_path / "none" else {}
            error = refused(environ, **asked, usual=tmp_path, memory=tmp_path)
            assert error.message.startswith(f"{path}: luggage cannot be asked there now: ")
            assert error.status == 1
        error = refused(environ, **asked, usual=tmp_path, memory=tmp_path)
        assert "no luggage runs" in error.message


def test_to_ask_disturbs_no_start(tmp_path: Path) -> None:
    """ctl looks at the lock that a start wants."""
    environ, over = {"LUGGAGE_RUN": str(tmp_path)}, threading.Event()

    def ask() -> None:
        while not over.is_set():
            with contextlib.suppress(LuggageError):
                caller.find(environ)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(50):
            with taken(environ) as path:
                assert path == tmp_path / "luggage"
    finally:
        over.set()
        thread.join(10)


def test_where_several_run_all_are_named(
    tmp_path: Path, serve: Callable[[Path, Answer], None]
) -> None:
    """And the hint is what chooses one."""
    for name in ("luggage-a", "luggage-b"):
        serve(tmp_path / name, lambda _: None)
    error = refused({"TMPDIR": str(tmp_path)}, usual=tmp_path / "none", memory=tmp_path)
    assert f"{tmp_path}/luggage-a, {tmp_path}/luggage-b" in error.message
    assert error.hint == f"choose one: --state {tmp_path}/luggage-a"


def test_none_anywhere_says_how_to_name_one(tmp_path: Path) -> None:
    """Neither the usual folder nor memory has one."""
    (tmp_path / "luggage-left").mkdir()
    error = refused({"TMPDIR": str(tmp_path)}, usual=tmp_path / "none", memory=tmp_path)
    assert error.message == "no luggage runs here"
    assert "--state" in (error.hint or "")


ASKING = """
import sys
from luggage.errors import LuggageError
from luggage.run.operate import caller
try:
    caller.find({"TMPDIR": sys.argv[1]}, usual=sys.argv[1], memory=sys.argv[1])
except LuggageError as error:
    print(error.render())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="left out: root alone can be without capabilities")
def test_root_without_its_capabilities_is_told_as_whom_to_ask(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As in a container without any (`--cap-drop ALL`): being root is no remedy there."""
    place = tmp_path_factory.mktemp("memory")
    for name in ("luggage-a", "luggage-b"):
        (place / name).mkdir(mode=0o700)
        os.chown(place / name, 65532, 65532)
    none = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    told = subprocess.run(
        [*none, sys.executable, "-c", ASKING, str(place)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"another's may, in {place}/luggage-a, {place}/luggage-b\n" in told
    assert told.endswith("hint: ask as uid 65532: docker exec -u 65532 …, or sudo -u '#65532' …\n")


def test_what_is_told_meanwhile_comes_before_the_result(
    tmp_path: Path, serve: Callable[[Path, Answer], None]
) -> None:
    """Signs of life are not shown."""
    serve(tmp_path, lines({}, {"say": "one"}, {}, {"say": "two"}, {"status": 0, "result": [1]}))
    said: list[str] = []
    connection = caller.connect(str(tmp_path))
    assert caller.ask(connection, "restart", ["loop"], said.append) == [1]
    assert said == ["one", "two"]


def test_a_refusal_is_an_error_with_its_hint(
    tmp_path: Path, serve: Callable[[Path, Answer], None]
) -> None:
    """In the supervisor's words."""
    serve(tmp_path, lines({"status": 1, "result": {"error": "no such", "hint": "one of a, b"}}))
    with pytest.raises(LuggageError) as caught:
        caller.ask(caller.connect(str(tmp_path)), "restart", ["c"])
    assert (caught.value.message, caught.value.hint) == ("no such", "one of a, b")


@pytest.mark.parametrize("answer", [b"", b'{"say": "it"}\n', b"what\n", b"[]\n", b'{"stat'])
def test_an_answer_that_breaks_off_or_is_none_is_an_error(
    tmp_path: Path, serve: Callable[[Path, Answer], None], answer: bytes
) -> None:
    """A supervisor that dies meanwhile has not done what it was asked."""

    def broken(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    serve(tmp_path, broken)
    with pytest.raises(LuggageError) as caught:
        caller.ask(caller.connect(str(tmp_path)), "status")
    assert caught.value.hint == "see its log"


def test_one_that_does_not_answer_is_not_waited_for_for_ever(
    tmp_path: Path, serve: Callable[[Path, Answer], None]
) -> None:
    """Such as one that is frozen: the kernel lets callers in all the same."""
    over = threading.Event()
    serve(tmp_path, lambda _: over.wait(30))
    try:
        with pytest.raises(LuggageError, match="does not answer"):
            caller.ask(caller.connect(str(tmp_path)), "status", patience=0.2)
    finally:
        over.set()
