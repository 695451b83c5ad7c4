"""Sealed text + key → values: envelope, keys, key sources, `Secrets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luggage.crypto.errors import MissingSecretError, SecretError
    from luggage.crypto.fake import FakeSecrets
    from luggage.crypto.secret import Secret
    from luggage.crypto.secrets import Environment, Opened, Secrets
    from luggage.crypto.source import Source, opened_from

__all__ = [
    "Environment",
    "FakeSecrets",
    "MissingSecretError",
    "Opened",
    "Secret",
    "SecretError",
    "Secrets",
    "Source",
    "opened_from",
]

_MODULES = {
    "Environment": "secrets",
    "FakeSecrets": "fake",
    "MissingSecretError": "errors",
    "Opened": "secrets",
    "Secret": "secret",
    "SecretError": "errors",
    "Secrets": "secrets",
    "Source": "source",
    "opened_from": "source",
}


def __getattr__(name: str) -> object:
    """A name's module is imported when the name is first used: handing the key over needs few."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
