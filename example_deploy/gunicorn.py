"""Serve the page, without the other processes."""

from __future__ import annotations

from example_deploy import config
from luggage.commands import gunicorn

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Serve the app that `argv` names, else the example's."""
    return gunicorn.main(argv, "example_deploy.wsgi:app", config.SECRETS)
