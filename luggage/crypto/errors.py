"""Refusals of keys and sealed values, each with the class of its reason."""

from __future__ import annotations

from luggage.errors import LuggageError


class SecretError(LuggageError):
    """A key or a secret that cannot be used; names project, environment and name, never a value.

    `reason` is the class of the failure: for a text, one of docs/format.md §11.
    """

    def __init__(self, message: str, hint: str | None = None, *, reason: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason


class MissingSecretError(SecretError, KeyError):
    """A name that has no value: also a KeyError, so that `in` and `.get` work."""

    def __str__(self) -> str:
        return self.message


class RefusalError(ValueError):
    """Inside this room only: why a text was refused.

    It is turned into a SecretError in a frame that holds no plaintext, so that not even a
    traceback with local variables shows a value or a key. `reason` as in SecretError; the text
    never quotes what was read.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
