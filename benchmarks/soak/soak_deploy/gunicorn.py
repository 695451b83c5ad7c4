"""Serve the app, without the other processes."""

from __future__ import annotations

from luggage.commands import gunicorn

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Serve the app that `argv` names."""
    return gunicorn.main(argv, "soak_deploy.wsgi:app")
