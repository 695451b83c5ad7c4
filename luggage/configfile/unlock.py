"""The keys given + what a config module states → the environments they open, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from luggage.configfile.model import Config
from luggage.crypto import envelope, keys, sources
from luggage.crypto.envelope import Context, Typed
from luggage.crypto.errors import SecretError
from luggage.crypto.keys import Bundle, PrivateKey
from luggage.errors import LuggageError, all_wrong


@dataclass(frozen=True)
class Given:
    """The keys that a key source holds, and its name."""

    source: str
    bundle: Bundle

    @property
    def ids(self) -> str:
        """The ids of the keys, for a message."""
        return ", ".join(key.public.id for key in self.bundle.keys)


def given(environ: Mapping[str, str]) -> Given:
    """The keys that the key sources hold (crypto.sources); raises SecretError."""
    found = sources.read(environ)
    return Given(found.source, keys.parse_keys(found.text, found.source))


def opened(config: Config, given: Given) -> dict[str, PrivateKey]:
    """The environments that the keys open, each with its key."""
    by_text = {key.public.dump(): key for key in given.bundle.keys}
    return {
        name: by_text[environment.public_key]
        for name, environment in config.environments.items()
        if environment.public_key in by_text
    }


def environments(
    config: Config, given: Given, environment: str | None = None
) -> dict[str, PrivateKey]:
    """As `opened`, but only `environment` where one is asked for; none is a LuggageError."""
    if environment is not None and environment not in config.environments:
        known = ", ".join(config.environments) or "none"
        raise LuggageError("the environment asked for is not in config.py", f"there are: {known}")
    found = opened(config, given)
    if not found:
        known = ", ".join(f"'{name}' has {key_id}" for name, key_id in ids(config).items())
        raise LuggageError(
            f"{given.source}: key {given.ids} opens no environment of project "
            f"'{config.project}': {known or 'it has none'}",
            f"give the key of the environment: {sources.FILE}=PATH names the key file",
        )
    if environment is None:
        return found
    if environment not in found:
        these = " and ".join(f"'{name}'" for name in found)
        raise LuggageError(
            f"{given.source}: opens environment {these}, not '{environment}'",
            f"give the key {ids(config)[environment]}: {sources.FILE}=PATH names the key file",
        )
    return {environment: found[environment]}


def one(config: Config, given: Given, environment: str | None = None) -> tuple[str, PrivateKey]:
    """The one environment that the keys open, or that is asked for; raises LuggageError."""
    found = environments(config, given, environment)
    if len(found) > 1:
        these = " and ".join(f"'{name}'" for name in found)
        raise LuggageError(
            f"{given.source}: holds keys of the environments {these}", "add: --env ENV"
        )
    return next(iter(found.items()))


def ids(config: Config) -> dict[str, str]:
    """The key id of each environment."""
    return {name: keys.parse_public(it.public_key).id for name, it in config.environments.items()}


def context(config: Config, environment: str, name: str) -> Context:
    """The place of secret `name` in `environment`."""
    there = config.environments[environment]
    public = keys.parse_public(there.public_key)
    return Context(config.project, environment, name, public, there.epoch)


def value(config: Config, environment: str, name: str, key: PrivateKey) -> Typed:
    """The type and the bytes of one value; raises LuggageError."""
    there = config.environments[environment].values
    if name not in there:
        raise LuggageError(
            f"secret '{name}': environment '{environment}' has none of that name",
            f"it has: {', '.join(there) or 'none'}",
        )
    return envelope.unseal_typed(there[name].value, key, context(config, environment, name))


def values(config: Config, environment: str, key: PrivateKey) -> dict[str, Typed]:
    """Every value of `environment`; what does not open is told in one LuggageError."""
    found: dict[str, Typed] = {}
    problems: list[SecretError] = []
    for name in config.environments[environment].values:
        try:
            found[name] = value(config, environment, name, key)
        except SecretError as error:
            problems.append(error)
    if problems:
        hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
        raise LuggageError(all_wrong(it.message for it in problems), "\n".join(hints))
    return found


def same(one: Typed, other: Typed) -> bool:
    """Whether both have the same type and the same bytes."""
    return one.kind == other.kind and bool(one.value.reveal() == other.value.reveal())
