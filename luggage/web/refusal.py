"""A request that cannot be interrupted → the answer that its client gets all the same."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gunicorn.util import http_date

from luggage.web import metrics
from luggage.web.job import Job
from luggage.web.timed import LATE, REQUEST_ID, TOO_LONG

TARDY = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class _Answer:
    """What was sent, as gunicorn's own response tells its logger."""

    status: str = LATE
    sent: int = len(TOO_LONG)


def send(job: Job) -> None:
    """Answer in the place of the job's own thread, without waiting for the client."""
    lines = (
        f"HTTP/1.1 {LATE}",
        f"Date: {http_date()}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(TOO_LONG)}",
        f"{REQUEST_ID}: {job.what.rpartition(' ')[2]}",
    )
    head = "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
    with contextlib.suppress(OSError):
        body = b"" if job.method == "HEAD" else TOO_LONG
        job.connection.send(head + body, socket.MSG_DONTWAIT)


def cut_off(job: Job) -> None:
    """End the turn of a client that has not sent its request: it is told why (RFC 9110, section
    15.5.9), and read no more, upon which the job's thread goes on."""
    with contextlib.suppress(OSError):
        job.connection.send(TARDY, socket.MSG_DONTWAIT)
    with contextlib.suppress(OSError):
        job.connection.shutdown(socket.SHUT_RDWR)


def tell(job: Job, now: float, log: Any) -> None:
    """Log and count what was sent: the job's own thread does neither, if it ever comes back."""
    took = now - job.began
    metrics.observe(job.method, int(LATE[:3]), took)
    answer = _Answer(sent=0 if job.method == "HEAD" else len(TOO_LONG))
    log.access(answer, None, job.environ, timedelta(seconds=took))
