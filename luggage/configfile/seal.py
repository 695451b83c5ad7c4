"""A name and a value → one changed line of the config module, sealed for its environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from luggage.configfile import grammar, splice, write
from luggage.configfile.model import Config
from luggage.crypto import envelope, keys
from luggage.crypto.envelope import Context
from luggage.crypto.errors import SecretError
from luggage.crypto.secret import Secret
from luggage.errors import LuggageError


@dataclass(frozen=True)
class Put:
    """What was done: whether a value was replaced, and whether the name is a required one."""

    replaced: bool
    required: bool


def place(path: Path, name: str, environment: str | None) -> Context:
    """Where the value of `name` will stand; raises LuggageError where that is not clear.

    Without `environment` it is the only one there is.
    """
    return _place(grammar.read(write.read(path)), name, environment)


def put(path: Path, context: Context, value: Secret, kind: str) -> Put:
    """Seal `value` for `context` into the config module at `path`; raises LuggageError."""
    try:
        sealed = envelope.seal(value, kind, context)
    except SecretError as error:
        message, hint, reason = error.message, error.hint, error.reason
    else:
        return _write(path, context, sealed)
    if reason == "value" and kind == "text":
        hint = "where it is no text, add: --type bytes"
    raise LuggageError(message, hint)


def _write(path: Path, context: Context, sealed: str) -> Put:
    done = []

    def edit(source: bytes) -> bytes:
        config = grammar.read(source)
        if _place(config, context.name, context.environment) != context:
            raise LuggageError(
                f"{path}: environment '{context.environment}' was changed meanwhile", "run it again"
            )
        spliced = splice.put(source, context.environment, context.name, sealed)
        required = config.required is None or context.name in config.required
        done.append(Put(spliced.replaced, required))
        return spliced.source

    write.update(path, edit)
    return done[0]


def _place(config: Config, name: str, environment: str | None) -> Context:
    known = ", ".join(config.environments)
    if not config.environments:
        raise LuggageError("config.py: has no environment yet", "python -m deploy keygen ENV")
    if environment is None and len(config.environments) > 1:
        raise LuggageError(f"there are several environments: {known}", "add: --env ENV")
    # What is not an environment is not shown: it could be the value, put there by mistake.
    if environment is not None and environment not in config.environments:
        raise LuggageError("--env: there is no such environment", f"there are: {known}")
    chosen = environment if environment is not None else next(iter(config.environments))
    there = config.environments[chosen]
    return Context(config.project, chosen, name, keys.parse_public(there.public_key), there.epoch)
