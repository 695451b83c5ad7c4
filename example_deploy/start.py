"""Run everything: the page, the robot, and a stand-in for the service if need be."""

from __future__ import annotations

from example_deploy import config, parts
from luggage import run
from luggage.commands import start

MAIN_OK = True

PROCESSES = (
    run.Web("example_deploy.wsgi:app"),
    run.Loop("loop", beat=90),  # one line takes six attempts of ten seconds at worst
    run.Loop("standin", unless="API_URL", key=False, port="STANDIN_PORT"),
)


def main(argv: list[str]) -> int:
    """Run PROCESSES until told to stop."""
    return start.main(argv, PROCESSES, config.SECRETS, settings=[config.App], check=parts.check)
