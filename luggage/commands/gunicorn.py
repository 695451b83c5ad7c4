"""Serve the web app with gunicorn."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence

from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.commands.start import Openable
from luggage.errors import UsageError
from luggage.run import claim, settings
from luggage.run.kernel import listen
from luggage.web import memory
from luggage.web.victims import Victims

LONGEST = 86_400

EXAMPLES = """\
examples:
  python -m {package} gunicorn
  PORT=8080 WEB_CONCURRENCY=1 python -m {package} gunicorn

variables:
{variables}
"""


def main(argv: list[str], app: str | None = None, secrets: Openable | None = None) -> int:
    """Serve the app in `argv`, else `app`, on HOST and PORT or on the supervisor's socket.

    `secrets`, if given, are opened first: an error is told once, instead of by every worker.

    What the deployment's command module imports is there once for all workers, and is imported
    before anything is checked: it opens no secret and starts no thread.
    """
    parser = Words(
        "gunicorn", __doc__, EXAMPLES, current(), variables=settings.describe(settings.Server)
    )
    parser.add_argument(
        "app",
        metavar="APP",
        nargs="?" if app else None,
        default=app,
        help="a WSGI app: package.module:name",
    )
    parser.add_argument(
        "--deadline",
        action="append",
        default=[],
        metavar="[PREFIX=]SECONDS",
        help="seconds that the app may take for a request whose path begins so; 0: any",
    )
    options = parser.read(argv[1:])
    server = settings.read(settings.Server, os.environ)
    limit = memory.limit()
    victims = Victims(limit)
    claim(os.environ)
    if secrets is not None:
        secrets.open()
    # gunicorn is imported once, after the key is out of the environment.
    from luggage.run.server import serve  # noqa: PLC0415

    usual, routes = deadlines(options.deadline, server.request_deadline)
    gc.freeze()  # all that is there stays: no worker looks at it, which would copy its memory
    return serve(
        options.app,
        bind=listen.address(server.host, server.port),
        workers=server.web_concurrency,
        threads=server.web_threads,
        deadline=usual,
        deadlines=routes,
        memory=share(server.worker_memory, server.web_concurrency, limit),
        victims=victims,
    )


def deadlines(words: Sequence[str], usual: float) -> tuple[float, dict[str, float]]:
    """The deadline of all requests, in seconds, and those of paths that begin with a prefix."""
    routes = {}
    for word in words:
        prefix, _, text = word.rpartition("=")
        try:
            seconds = float(text)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST or (prefix and not prefix.startswith("/")):
            raise UsageError(
                f"gunicorn: --deadline: not [/PREFIX=]SECONDS, with up to {LONGEST} seconds",
                "such as --deadline 60 --deadline /reports/=300",
            )
        if prefix:
            routes[prefix] = seconds
        else:
            usual = seconds
    return usual, routes


def share(asked: int, workers: int, limit: int | None) -> int:
    """The bytes that each of `workers` may have: `asked` MiB, else of the container's `limit` what
    is left when a quarter is kept for all else, and as much as one has for its successor; 0 where
    there is no limit."""
    if asked:
        return asked << 20
    return limit * 3 // 4 // (workers + 1) if limit else 0
