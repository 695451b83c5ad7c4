"""What a WSGI app does → whose time it is, and which error gunicorn sees of it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gunicorn.http.errors import InvalidChunkSize, NoMoreData
from gunicorn.http.wsgi import FileWrapper

from luggage.web import metrics
from luggage.web.deadlines import Deadlines
from luggage.web.job import APP, CLIENT, Job
from luggage.web.jobs import Jobs
from luggage.web.overdue import AppError
from luggage.web.parts import Parts
from luggage.web.slate import Slate
from luggage.web.timed import Timed

Ask = Callable[[Any], tuple[Iterable[bytes], Job]]


def started(*_: object) -> Callable[[bytes], object]:
    return lambda _: None


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks an app; returns its answer, and the job."""
    slate = Slate()
    jobs = Jobs(2, slate)

    def it(app: Any, body: Any = None) -> tuple[Iterable[bytes], Job]:
        with socket.socket() as connection:
            job = jobs.add(connection)
            jobs.arrive(job)
            environ = {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": "/",
                "CONTENT_LENGTH": "3",
                "wsgi.input": body and body(jobs, job),
                "wsgi.file_wrapper": FileWrapper,
            }
            return Timed(app, jobs, Deadlines(10))(environ, started), job

    yield it
    assert slate.served() == []
    slate.close()


class Body:
    """One of a client that goes away while it is waited for."""

    def __init__(self, jobs: Jobs, job: Job) -> None:
        self._jobs = jobs
        self._job = job

    def read(self, size: int | None = None) -> bytes:
        def fail() -> bytes:
            raise ConnectionResetError(104, "the client is gone")

        return self._jobs.client(self._job, fail)


class Cut:
    """One that ends too early, as gunicorn finds."""

    def __init__(self, *_: object) -> None: ...

    def read(self, size: int | None = None) -> bytes:
        raise NoMoreData


@pytest.mark.parametrize(
    "error", [SystemExit(1), OSError(2, "x"), StopIteration(), GeneratorExit()]
)
def test_an_error_of_the_apps_is_seen_as_one(ask: Ask, error: BaseException) -> None:
    """gunicorn would end the worker for it, or take it for the client's; its cause is kept."""

    def app(*_: object) -> list[bytes]:
        raise error

    with pytest.raises(AppError) as caught:
        ask(app)
    assert caught.value.__cause__ is error


def test_an_error_of_the_clients_stays_as_it_is(ask: Ask) -> None:
    """gunicorn tells nobody of it, as it is nobody's fault here."""

    def app(environ: Any, *_: object) -> list[bytes]:
        return [environ["wsgi.input"].read()]

    with pytest.raises(ConnectionResetError):
        ask(app, Body)  # type: ignore[call-arg]
    with pytest.raises(NoMoreData):
        ask(app, Cut)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("error", "body", "status"),
    [
        (KeyError("x"), None, 500),
        (SystemExit(1), None, 500),
        (InvalidChunkSize(b"x"), None, 400),
        (None, Body, 499),
        (None, Cut, 499),
    ],
)
@pytest.mark.parametrize("in_parts", [False, True])
def test_each_failure_is_counted_once_and_as_what_it_is(
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException | None,
    body: Any,
    status: int,
    in_parts: bool,
) -> None:
    """An app's is 500, also where gunicorn has asked it for the first part; a client's is none."""
    counted: list[tuple[str, int]] = []
    monkeypatch.setattr(metrics, "observe", lambda method, told, _: counted.append((method, told)))

    def fail(environ: Any) -> list[bytes]:
        if error is not None:
            raise error
        return [environ["wsgi.input"].read()]

    def parts(environ: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield from fail(environ)

    with pytest.raises(Exception):  # noqa: B017 - which one, others tell
        answer, _ = ask(parts if in_parts else lambda environ, _: fail(environ), body)  # type: ignore[call-arg]
        with contextlib.closing(answer):  # type: ignore[type-var]
            list(answer)
    assert counted == [("GET", status)]


def test_an_answer_of_text_is_an_error_before_anything_leaves(ask: Ask) -> None:
    def app(_: Any, start: Any) -> list[str]:
        start("200 OK", [])
        return ["text"]

    with pytest.raises(AppError, match="answered with str, not bytes"):
        ask(app)


def test_only_a_file_is_left_to_the_kernel(ask: Ask, tmp_path: Path) -> None:
    """What else has a `read` may take long: that is the app's time."""
    (tmp_path / "file").write_bytes(b"file")

    def answers(filelike: Any) -> Any:
        def app(_: Any, start: Any) -> Any:
            start("200 OK", [])
            return FileWrapper(filelike)

        return ask(app)

    with (tmp_path / "file").open("rb") as file:
        answer, _ = answers(file)
        assert isinstance(answer, FileWrapper)
    reading, writing = os.pipe()
    os.write(writing, b"pipe")
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        for other, told in ((io.BytesIO(b"bytes"), b"bytes"), (pipe, b"pipe")):
            answer, job = answers(other)
            assert isinstance(answer, Parts)
            with contextlib.closing(answer):
                assert b"".join(answer) == told
            assert job.phase == CLIENT


def test_what_is_written_gives_time_for_the_next(ask: Ask) -> None:
    """By `write` as by a generator."""
    seen: list[float] = []

    def app(environ: Any, start: Any) -> list[bytes]:
        write = start("200 OK", [])
        job = start.__self__.job
        for _ in range(3):
            job.spent += 7
            write(b"part")
            seen.append(job.spent)
        return []

    ask(app)
    assert seen == [0.0] * 3


def test_any_other_error_stays_as_it_is(ask: Ask) -> None:
    """gunicorn understands it."""

    def app(*_: object) -> list[bytes]:
        raise KeyError("x")

    with pytest.raises(KeyError):
        ask(app)


@pytest.mark.parametrize("parts", [[b"a"], [], iter([b"a"]), iter(())])
def test_an_answer_without_a_beginning_is_an_error(ask: Ask, parts: Iterable[bytes]) -> None:
    """gunicorn would send `None` for the status of some."""
    with pytest.raises(AppError, match="the app has not called start_response"):
        answer, _ = ask(lambda *_: parts)
        with contextlib.closing(answer):  # type: ignore[type-var]
            list(answer)


def test_what_makes_the_parts_is_the_apps(ask: Ask) -> None:
    """An answer whose `__iter__` does the work has a deadline for that."""
    phases: list[int] = []
    job: Any = None

    class Answer:
        def __iter__(self) -> Iterator[bytes]:
            phases.append(job.phase)
            return iter([b"a", b"b"])

    def app(environ: Any, start: Any) -> Answer:
        nonlocal job
        job = environ["job"]
        start("200 OK", [])
        return Answer()

    def outer(environ: Any, start: Any) -> Any:
        environ["job"] = start.__self__.job
        return app(environ, start)

    answer, _ = ask(outer)
    assert phases == [APP]
    assert job.phase == CLIENT
    assert list(answer) == [b"a", b"b"]
    answer.close()  # type: ignore[attr-defined]


def test_a_closed_answer_is_in_nobodys_hands(ask: Ask) -> None:
    """However often, and however it ended: an interruption would hit gunicorn, or another."""

    def app(_: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"a"
        raise SystemExit(3)

    answer, job = ask(app)
    parts = iter(answer)
    assert next(parts) == b"a"
    with pytest.raises(AppError):
        next(parts)
    for _ in range(2):
        answer.close()  # type: ignore[attr-defined]
        assert job.phase == CLIENT
