"""The sources of the key → the keys, in a process that no other of the same user looks into."""

from __future__ import annotations

from collections.abc import MutableMapping

from luggage.configfile import unlock
from luggage.configfile.unlock import Given
from luggage.crypto import sources
from luggage.run import kin


def given(environ: MutableMapping[str, str]) -> Given:
    """The keys; hides this process first, and then takes SECRET_KEY from what it starts.

    Raises SecretError.
    """
    kin.hide()
    try:
        return unlock.given(environ)
    finally:
        environ.pop(sources.VARIABLE, None)
