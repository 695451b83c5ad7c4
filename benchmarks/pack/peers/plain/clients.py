"""Two variables and an address → a client of the service; nothing is sealed, nothing is checked."""

from __future__ import annotations

import os

from example_app.account import Account
from example_app.client import Client


def client(name: str, variable: str, *, timeout: float, attempts: int) -> Client:
    """A client of API_URL for the account `name`, whose key is in `variable`."""
    account = Account(name, os.environ[variable])
    return Client(os.environ["API_URL"], account, timeout=timeout, attempts=attempts)
