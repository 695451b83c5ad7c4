"""Serve the web app with gunicorn."""

from __future__ import annotations

import gc
import os

from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.commands.start import Openable
from luggage.run import claim, listen, settings

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
    options = parser.read(argv[1:])
    server = settings.read(settings.Server, os.environ)
    claim(os.environ)
    if secrets is not None:
        secrets.open()
    # gunicorn is imported once, after the key is out of the environment.
    from luggage.run.server import serve  # noqa: PLC0415

    gc.freeze()  # all that is there stays: no worker looks at it, which would copy its memory
    return serve(
        options.app,
        bind=listen.address(server.host, server.port),
        workers=server.web_concurrency,
        log_level=server.log_level,
    )
