"""The app with luggage's endpoints."""

from __future__ import annotations

from app import app as faulty

from luggage import web

app = web.endpoints(faulty, version=web.version("failsafe_deploy"))
