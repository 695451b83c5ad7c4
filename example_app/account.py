"""An application's name and its key → an account, whose key no text shows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """One application at the service. The key stays out of every text made from it."""

    application_id: str
    api_key: str = field(repr=False)

    def __post_init__(self) -> None:
        # http.client would name the whole header, key and all, when it refuses one.
        key = self.api_key
        if not (key and key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                f"account '{self.application_id}': its API key is empty, not ASCII or has spaces"
            )
