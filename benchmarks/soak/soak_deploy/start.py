"""Run everything, supervised."""

from __future__ import annotations

from luggage import run
from luggage.commands import start

MAIN_OK = True

PROCESSES = (
    run.Web("soak_deploy.wsgi:app"),
    run.Loop("beating", beat=3, grace=20),
    run.Loop("plain"),
    run.Cron("tick", every="5s"),
)


def main(argv: list[str]) -> int:
    """Run them until told to stop."""
    return start.main(argv, PROCESSES)
