"""Serve the app, without the other processes."""

from __future__ import annotations

# Imported once for all workers, as docs/own-app.md has it.
import app  # noqa: F401

from luggage.commands import gunicorn

MAIN_OK = True


def main(argv: list[str]) -> int:
    """Serve the app that `argv` names."""
    return gunicorn.main(argv, "failsafe_deploy.wsgi:app")
