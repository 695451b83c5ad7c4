"""The web app: the page, with both keys opened. For gunicorn; it is no command."""

from __future__ import annotations

import os

from example_app import page
from example_app.client import Client
from example_deploy.config import SECRETS, App
from example_deploy.parts import account
from luggage import web
from luggage.run import settings

_url = settings.read(App, os.environ).service
_secrets = SECRETS.open()

# A visitor waits: rather say what is missing than try for long.
app = web.endpoints(
    page.make(
        Client(_url, account(_secrets, "LINES_API_KEY"), timeout=3, attempts=2),
        Client(_url, account(_secrets, "MOOD_API_KEY"), timeout=3, attempts=2),
    ),
    version=web.version("example_deploy"),
)
