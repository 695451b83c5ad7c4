"""Run everything."""

from __future__ import annotations

from deploy_under_test import config
from luggage import run
from luggage.commands import start

MAIN_OK = True

PROCESSES = (
    run.Web("deploy_under_test.app:app"),
    run.Loop("loop"),
    run.Loop("spare", unless="NO_SPARE"),
)


def main(argv: list[str]) -> int:
    return start.main(argv, PROCESSES, config.SECRETS)
