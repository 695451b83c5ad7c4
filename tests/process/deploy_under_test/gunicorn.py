"""Serve the app."""

from __future__ import annotations

from deploy_under_test import config
from luggage.commands import gunicorn

MAIN_OK = True


def main(argv: list[str]) -> int:
    return gunicorn.main(argv, "deploy_under_test.app:app", config.SECRETS)
