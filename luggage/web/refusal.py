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
    head = "".join(f"{line}\r\n" for line in (*lines, ""))
    with contextlib.suppress(OSError):
        job.connection.send(head.encode("latin-1") + TOO_LONG, socket.MSG_DONTWAIT)


def tell(job: Job, now: float, log: Any) -> None:
    """Log and count what was sent: the job's own thread does neither, if it ever comes back."""
    took = now - job.began
    metrics.observe(job.method, int(LATE[:3]), took)
    log.access(_Answer(), None, job.environ, timedelta(seconds=took))
