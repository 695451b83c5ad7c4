"""An answered request → a line of the access log that nobody outside can forge."""

# gunicorn's untyped classes are extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gunicorn.glogging import Logger

from luggage.web.escaped import bare, escaped
from luggage.web.job import CURRENT
from luggage.web.request_id import current
from luggage.web.response import Response

ID = "luggage.request_id"  # in a request's environ
QUIET = ("/-/healthy", "/-/metrics", "/-/ready")

# Lines of several workers meet in one pipe, which keeps 4096 bytes together and not more. These
# many characters of what a client sends make no longer line, whatever they are.
_PATH, _REFERER, _AGENT, _METHOD, _MESSAGE = 800, 300, 300, 32, 200


class Access(NamedTuple):
    """One answered request; `str` of it is the combined format, the seconds, and the id.

    What the client sent is escaped. There is no query in it, nor a user, as both may be secrets.
    """

    time: str
    remote: str
    method: str
    path: str
    protocol: str
    status: int
    size: int
    seconds: float
    referer: str
    agent: str
    request_id: str

    def __str__(self) -> str:
        return (
            f"{self.remote} - - {self.time} "
            f'"{self.method} {self.path} {self.protocol}" {self.status} {self.size} '
            f'"{self.referer}" "{self.agent}" {self.seconds:.3f} {self.request_id}'
        )

    def fields(self) -> dict[str, object]:
        """The same, as the members of a JSON object; what the client did not send is left out."""
        told = {
            "message": f"{self.method} {self.path[:_MESSAGE]} {self.status}",
            "remote": self.remote,
            "method": self.method,
            "path": self.path,
            "protocol": self.protocol,
            "status": self.status,
            "bytes": self.size,
            "seconds": round(self.seconds, 6),
            "referer": self.referer,
            "agent": self.agent,
            "request_id": self.request_id,
        }
        return {name: value for name, value in told.items() if value != "-"}


class AccessLogger(Logger):
    """gunicorn's logger: its lines go where `luggage.run.logs` sends them, at the level set there.

    Health checks, which come every few seconds, are left out while they are answered well.
    """

    def setup(self, cfg: Any) -> None:
        """gunicorn's own would set handlers and levels."""
        self.cfg = cfg
        self._second = 0, ""
        self._access_log_enabled = bool(cfg.accesslog)

    def now(self) -> str:
        """The time as the line has it, made once a second."""
        second, told = self._second
        if second != (now := int(time.time())):
            told = super().now()
            self._second = now, told
        return told

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """gunicorn's own tells what a client has sent as it is: a line of any length, say."""
        super().warning(msg if args else escaped(msg, _PATH), *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """gunicorn's own tells the whole address of a request that fails."""
        shown = (escaped(bare(it), _PATH) if isinstance(it, str) else it for it in args)
        super().exception(msg, *shown, **kwargs)

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        if not self._access_log_enabled:
            return
        job = CURRENT.get()
        if job is not None and job.refused:  # it was answered by another thread, which has told it
            return
        # An app that configures logging with dictConfig disables all loggers that are there.
        self.error_log.disabled = self.access_log.disabled = False
        failed = sys.exc_info()[1]
        unsent = isinstance(resp, Response) and not resp.headers_sent
        fails = failed is not None and not isinstance(failed, OSError)
        if resp.status is None or (unsent and fails):
            return  # another line, with gunicorn's own answer, follows
        status = int(resp.status[:3])  # where gunicorn answers itself, there is no status_code
        if environ.get("PATH_INFO") not in QUIET or status >= 400:
            # Of a request that has failed, gunicorn counts from then on.
            began = job.began if job is not None else 0.0
            seconds = max(request_time.total_seconds(), time.monotonic() - began if began else 0.0)
            told = line(environ, status, resp.sent, seconds, self.now())
            log = self.access_log
            if log.isEnabledFor(logging.INFO):
                # As log.info() does, which looks first for whoever has called it.
                log.handle(log.makeRecord(log.name, logging.INFO, "", 0, told, (), None))


def line(
    environ: Mapping[str, Any], status: int, sent: int | None, seconds: float, time: str
) -> Access:
    """The line of a request with this WSGI `environ`, which was answered with `sent` bytes."""
    return Access(
        time=time,
        remote=escaped(environ.get("REMOTE_ADDR"), 64).replace(" ", "\\x20"),
        method=escaped(environ.get("REQUEST_METHOD"), _METHOD),
        path=escaped(bare(environ.get("RAW_URI") or environ.get("PATH_INFO")), _PATH),
        protocol=escaped(environ.get("SERVER_PROTOCOL"), 16),
        status=int(status),
        size=sent or 0,
        seconds=seconds,
        referer=escaped(bare(environ.get("HTTP_REFERER")), _REFERER),
        agent=escaped(environ.get("HTTP_USER_AGENT"), _AGENT),
        request_id=escaped(environ.get(ID) or current(), 64).replace(" ", "\\x20"),
    )
