"""What a client has not sent yet → waited for in its own time, not the app's."""

# gunicorn's untyped class is extended here.
# mypy: disable-error-code="misc"

from __future__ import annotations

import errno
from typing import Any

from gunicorn.http.unreader import SocketUnreader

from luggage.web.job import APP, Job
from luggage.web.jobs import Jobs


class Unreader(SocketUnreader):
    """gunicorn's, of one connection, in its turn as `job` of `jobs`.

    Where no more comes of a body it is none, and an error: gunicorn gives the app what there is.
    """

    jobs: Jobs
    job: Job

    def chunk(self, *hint: Any) -> Any:
        data = self.jobs.client(self.job, super().chunk, *hint)
        if not data and self.job.phase == APP:
            self.job.gone = True
            raise ConnectionResetError(errno.ECONNRESET, "the client has sent no whole body")
        return data


def attend(conn: Any, jobs: Jobs) -> None:
    """Let the connection's parser wait so, from now on; `conn.job` is its turn."""
    conn.init()
    unreader = conn.parser.unreader
    # A method of its own would hold the connection in a circle, until garbage is collected.
    unreader.__class__, unreader.jobs, unreader.job = Unreader, jobs, conn.job
