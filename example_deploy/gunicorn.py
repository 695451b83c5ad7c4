"""Serve the page, without the other processes."""

from __future__ import annotations

# The page is not used here: imported once, it need not be by each worker.
from example_app import page  # noqa: F401
from example_deploy import config
from luggage.commands import gunicorn

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Serve the app that `argv` names, else the example's."""
    return gunicorn.main(argv, "example_deploy.wsgi:app", config.SECRETS)
