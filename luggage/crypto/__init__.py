"""Sealed text + key → values: envelope, keys, key sources, `Secrets`."""

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
