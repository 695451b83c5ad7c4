"""This process, its key and its secrets → what was proved of the artifact that it runs from."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import luggage
from luggage.crypto import SecretError, Secrets, keys, sources
from luggage.crypto.keys import Bundle
from luggage.crypto.secrets import Environment
from luggage.proof import start
from luggage.proof.image import Place
from luggage.proof.start import Report, Sealed

MOUNTS = Path("/proc/self/mountinfo")
PEX = "PEX"  # pex sets it to its file's path


def prove(environ: Mapping[str, str], secrets: object = None) -> Report:
    """Check the artifact before a secret is opened; raises LuggageError with all that is wrong."""
    began = time.monotonic()
    place = here(environ)
    if not place.is_packed:
        return _of_checkout(place, environ)
    report = start.check(place, _bundle(environ), _sealed(secrets))
    return replace(report, seconds=time.monotonic() - began)


def _of_checkout(place: Place, environ: Mapping[str, str]) -> Report:
    try:
        return start.check(place, _bundle(environ))
    except SecretError:
        return Report("checkout")  # opening the secrets tells, where any are needed


def here(environ: Mapping[str, str]) -> Place:
    """Where the running luggage lies: in an artifact beside the manifest."""
    pex = environ.get(PEX)
    try:
        mounts = MOUNTS.read_bytes()
    except OSError:
        mounts = b""
    site = Path(str(luggage.__file__)).absolute().parent.parent
    return Place(site, pex=Path(pex) if pex else None, mountinfo=mounts)


def _bundle(environ: Mapping[str, str]) -> Bundle | None:
    """The keys, or None where there are none: opening the secrets tells, where any are needed."""
    try:
        found = sources.read(environ)
    except SecretError as error:
        if error.reason == "no-key":
            return None
        raise
    return keys.parse_keys(found.text, found.source)


def _sealed(secrets: object) -> Sealed | None:
    """The sealed texts, or None where it is not a config module's Secrets or cannot be one."""
    if not isinstance(secrets, Secrets) or not isinstance(secrets.environments, Mapping):
        return None
    found: dict[str, dict[str, str]] = {}
    for name, environment in secrets.environments.items():
        if not isinstance(environment, Environment) or not isinstance(environment.values, Mapping):
            return None
        found[name] = {secret: str(text) for secret, text in environment.values.items()}
    return found
