"""Serve the stand-in for the service, where there is no real one."""

from __future__ import annotations

import os

from example_deploy.config import App
from example_deploy.parts import data_folder
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.run import claim, settings
from luggage.run.server import serve

MAIN_OK = True

EXAMPLES = """\
examples:
  DATA_DIR=data python -m {package} standin
  STANDIN_PORT=9001 python -m {package} standin

variables:
{variables}
"""


def main(argv: list[str]) -> int:
    """Serve it on 127.0.0.1 until TERM or INT comes."""
    Words("standin", __doc__, EXAMPLES, current(), variables=settings.describe(App)).read(argv[1:])
    app = settings.read(App, os.environ)
    claim(os.environ)
    folder = str(data_folder(app, os.environ))
    return serve(
        f"example_app.standin:make({folder!r})",
        bind=f"127.0.0.1:{app.standin_port}",
        workers=1,
        counted=False,  # the metrics are the app's
    )
