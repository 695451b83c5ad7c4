"""The web app: the page, with both keys opened. For gunicorn; it is no command."""

from __future__ import annotations

import os

from example_app import page
from example_app.client import Account, Client
from example_deploy.config import LINES_ACCOUNT, MOOD_ACCOUNT, SECRETS, App
from luggage import web
from luggage.run import settings

_url = settings.read(App, os.environ).service
_secrets = SECRETS.open()

# A visitor waits: rather say what is missing than try for long.
app = web.endpoints(
    page.make(
        Client(
            _url, Account(LINES_ACCOUNT, _secrets["LINES_API_KEY"].reveal()), timeout=3, attempts=2
        ),
        Client(
            _url, Account(MOOD_ACCOUNT, _secrets["MOOD_API_KEY"].reveal()), timeout=3, attempts=2
        ),
    ),
    version=web.version("example_deploy"),
)
