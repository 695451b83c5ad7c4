"""Run the web server, supervised."""

from __future__ import annotations

from luggage import run
from luggage.commands import start

MAIN_OK = True

PROCESSES = (run.Web("failsafe_deploy.wsgi:app"),)


def main(argv: list[str]) -> int:
    """Run PROCESSES until told to stop."""
    return start.main(argv, PROCESSES)
