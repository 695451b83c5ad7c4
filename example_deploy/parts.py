"""Settings and opened secrets → what the processes are made of, or one clear error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from example_app.account import Account
from example_app.folder import private
from example_deploy.config import LINES_ACCOUNT, MOOD_ACCOUNT, App
from luggage.crypto import Secret
from luggage.errors import LuggageError, all_wrong
from luggage.run import settings

ACCOUNTS = {"LINES_API_KEY": LINES_ACCOUNT, "MOOD_API_KEY": MOOD_ACCOUNT}


def account(secrets: Mapping[str, Secret], name: str) -> Account:
    """The account whose API key is the secret `name`."""
    try:
        return Account(ACCOUNTS[name], str(secrets[name].reveal()))
    except ValueError as error:
        raise LuggageError(
            f"secret '{name}': {error}", f"python -m deploy encrypt {name}"
        ) from None


def data_folder(app: App, environ: Mapping[str, str]) -> Path:
    """The stand-in's folder: DATA_DIR, or a private one in memory; made where there is none."""
    usual = [environ.get("LUGGAGE_RUN"), "/dev/shm", "/tmp"]  # noqa: S108
    name = f"example-standin-{os.getuid()}-{app.standin_port}"
    try:
        if not app.data_dir:
            return private([Path(parent) for parent in usual if parent], name)
        folder = Path(app.data_dir).absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError
    except OSError as error:
        why = error.strerror or "this user may not write there"
        raise LuggageError(
            f"variable DATA_DIR: {why.lower()}", "name a folder that this user may write"
        ) from None
    return folder


def check(secrets: Mapping[str, Secret]) -> None:
    """Make everything once, before any process is started: all that cannot be is told."""
    app = settings.read(App, os.environ)
    wrong = []
    for make in (
        lambda: account(secrets, "LINES_API_KEY"),
        lambda: account(secrets, "MOOD_API_KEY"),
        lambda: data_folder(app, os.environ) if app.data_dir and not app.api_url else None,
    ):
        try:
            make()
        except LuggageError as error:
            wrong.append(error)
    if wrong:
        hints = all_wrong(error.hint or "" for error in wrong)
        raise LuggageError(all_wrong(error.message for error in wrong), hints)
