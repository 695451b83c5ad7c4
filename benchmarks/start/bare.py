"""The example's page for gunicorn alone: its API keys are given in the open, as variables."""

from __future__ import annotations

import os

from example_app import page
from example_app.account import Account
from example_app.client import Client


def _client(name: str, variable: str) -> Client:
    account = Account(name, os.environ[variable])
    return Client(os.environ["API_URL"], account, timeout=3, attempts=2)


app = page.make(_client("example-lines", "LINES_API_KEY"), _client("example-mood", "MOOD_API_KEY"))
