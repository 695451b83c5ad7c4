"""A WSGI app → the same app, each request of which has a deadline and an identifier.

Time counts while the app runs, and not while the client sends (worker.py) or reads.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from gunicorn.http.errors import NoMoreData, ParseException

from luggage.web import metrics, request_id
from luggage.web.deadlines import Deadlines
from luggage.web.escaped import escaped
from luggage.web.job import Job
from luggage.web.jobs import Jobs
from luggage.web.overdue import AppError, DeadlineError, Overdue
from luggage.web.parts import Parts, is_file

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

GONE = 499  # in the figures: the client went away before it was answered; as nginx has it
LATE = "503 Service Unavailable"
TOO_LONG = b"the request has taken too long\n"
REQUEST_ID = "X-Request-ID"
SHOWN = 200  # characters of a path, where the log tells of a request


class Timed:
    """`app`, whose requests are among `jobs`, and may take what `deadlines` says."""

    def __init__(self, app: WSGIApplication, jobs: Jobs, deadlines: Deadlines) -> None:
        self._app = app
        self._jobs = jobs
        self._deadlines = deadlines

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        jobs, job = self._jobs, self._jobs.mine()
        named = request_id.accepted(environ.get("HTTP_X_REQUEST_ID"))
        environ["HTTP_X_REQUEST_ID"] = environ["luggage.request_id"] = named
        request_id.CURRENT.set(named)
        if environ.get("CONTENT_LENGTH"):
            # So Werkzeug looks for the end of a body itself, and answers 400 where there is none.
            environ["wsgi.input_terminated"] = False
        method = environ["REQUEST_METHOD"]
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        job.method, job.environ = method, environ
        turn = Turn(jobs, job, method, start_response, named)
        try:
            jobs.enter(job, f"{method} {escaped(path, SHOWN)} {named}", self._deadlines.of(path))
            return self._answer(environ, turn)
        except Overdue:
            return turn.late()
        except BaseException as error:
            turn.fail(error)
            turn.refuse(error)
            raise

    def _answer(self, environ: WSGIEnvironment, turn: Turn) -> Iterable[bytes]:
        answer = self._app(environ, turn.start)
        if isinstance(answer, (list, tuple)):
            for part in answer:
                if not isinstance(part, bytes):
                    raise AppError(f"the app has answered with {type(part).__name__}, not bytes")
        if isinstance(answer, (list, tuple)) or is_file(answer, environ["wsgi.file_wrapper"]):
            turn.check()
            turn.end()
            return answer
        try:
            parts = Parts(answer, turn)
            turn.jobs.pause(turn.job)
            return parts
        except Overdue:
            return turn.late(answer)


class Turn:
    """One request's way through the app."""

    def __init__(
        self, jobs: Jobs, job: Job, method: str, start_response: StartResponse, named: str
    ) -> None:
        self.jobs = jobs
        self.job = job
        self._method = method
        self._start_response = start_response
        self._id = named
        self._status = 0
        self._over = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """The app's `start_response`."""
        self._status = int(status[:3]) if status[:3].isdigit() else 500
        headers = [it for it in headers if it[0].lower() != "x-request-id"]
        headers.append((REQUEST_ID, self._id))
        write = self._begin(status, headers, exc_info)

        def give(data: bytes) -> object:
            self.jobs.gave(self.job)
            return write(data)

        return lambda data: self.jobs.client(self.job, give, data)

    def check(self) -> None:
        """Raise an error where an answer has no beginning: gunicorn would send one without a
        status."""
        if not self._status:
            raise AppError("the app has not called start_response")

    def _begin(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any
    ) -> Callable[[bytes], object]:
        response = getattr(self._start_response, "__self__", None)
        if exc_info and response is not None and not response.headers_sent:
            # gunicorn would send the headers of what was begun as well: another length, say.
            response.headers.clear()
            response.response_length = None
        return self._start_response(status, headers, exc_info)

    def end(self, status: int | None = None) -> None:
        """The app has done with the request, or with what it tidies up after that."""
        while True:
            try:
                took = self.jobs.leave(self.job)
                break
            except Overdue:  # the interruption may come as late as this
                continue
        if not self._over and not self.job.refused:
            metrics.observe(self._method, status or self._status or 500, took)
        self._over = True

    def fail(self, error: BaseException) -> None:
        """The app has done with the request because of `error`."""
        status = 500
        if isinstance(error, ParseException):  # of a body: gunicorn tells the client
            status = 400
        elif self._clients(error):
            status = GONE
        self.end(status)

    def _clients(self, error: BaseException) -> bool:
        """Whether it is one of the client's, who is gone."""
        return isinstance(error, NoMoreData) or (self.job.gone and isinstance(error, OSError))

    def refuse(self, error: BaseException) -> None:
        """Raise another error in place of what gunicorn would not take for one of the app's.

        It would end the worker for what is no Exception, SystemExit for one, and take an OSError
        for the client's own: who had asked would get no answer, and the log no line.
        """
        own = isinstance(error, Exception) and not isinstance(error, (OSError, StopIteration))
        if not own and not self._clients(error):
            raise AppError(f"the app raised {type(error).__name__}: {error}") from error

    def late(self, answer: object = None) -> Iterable[bytes]:
        """What a client is told whose request has taken too long.

        Its connection is not kept: the app may have been interrupted while it read the body.
        """
        self._close(answer)
        response = getattr(self._start_response, "__self__", None)
        if response is not None:
            response.force_close()
        self._status = 503
        self.end()
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(TOO_LONG))),
            (REQUEST_ID, self._id),
        ]
        try:
            raise DeadlineError(f"request {self._id} has taken too long")
        except DeadlineError:
            self._begin(LATE, headers, cast("Any", sys.exc_info()))
        return [] if self._method == "HEAD" else [TOO_LONG]

    def _close(self, answer: object) -> None:
        close = getattr(answer, "close", None)
        if close is not None:
            with contextlib.suppress(Exception, Overdue):
                close()
