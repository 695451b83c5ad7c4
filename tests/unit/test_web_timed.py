"""What a WSGI app does → whose time it is, and which error gunicorn sees of it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from luggage.web.deadlines import Deadlines
from luggage.web.job import APP, CLIENT, Job
from luggage.web.jobs import Jobs
from luggage.web.overdue import AppError
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
                "wsgi.input": body,
                "wsgi.file_wrapper": bytes,
            }
            return Timed(app, jobs, Deadlines(10))(environ, started), job

    yield it
    assert slate.served() == []
    slate.close()


class Body:
    """One of a client that goes away."""

    def read(self, size: int | None = None) -> bytes:
        raise ConnectionResetError(104, "the client is gone")


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
        ask(app, Body())  # type: ignore[call-arg]


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
