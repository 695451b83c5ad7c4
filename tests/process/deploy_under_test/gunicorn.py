"""Serve the app."""

from __future__ import annotations

import os
import time

from deploy_under_test import config
from luggage.commands import gunicorn

MAIN_OK = True

if os.environ.get("APP_DOES") == "fork slowly":
    os.register_at_fork(after_in_child=lambda: time.sleep(2))


def main(argv: list[str]) -> int:
    return gunicorn.main(argv, "deploy_under_test.app:app", config.SECRETS)
