"""The example's configuration: public values, and sealed ones. Importing it opens nothing."""

from __future__ import annotations

from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="example",
    required=("LINES_API_KEY", "MOOD_API_KEY"),
    environments={},
)
