"""Sealed text + key → values: envelope, keys, key sources, `Secrets`."""

from luggage.crypto.errors import MissingSecretError, SecretError
from luggage.crypto.secret import Secret
from luggage.crypto.secrets import Environment, Opened, Secrets

__all__ = ["Environment", "MissingSecretError", "Opened", "Secret", "SecretError", "Secrets"]
