"""Raw values from anywhere → opened ones: the protocol of `Secrets` and of other sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from luggage.crypto import names
from luggage.crypto import types as kinds
from luggage.crypto.envelope import MAX_VALUE
from luggage.crypto.errors import RefusalError, SecretError
from luggage.crypto.secret import Secret
from luggage.crypto.secrets import Opened
from luggage.errors import all_wrong

_NONE: Mapping[str, str] = MappingProxyType({})


class Source(Protocol):
    """All that an app and the commands of its deployment need of secrets.

    `crypto.Secrets` is one, `crypto.FakeSecrets` is one, and so is a class of your own that asks
    a Vault or reads mounted files: no inheritance is needed.
    """

    def open(self, environ: Mapping[str, str] | None = None, /) -> Opened:
        """Every value, checked; `environ` is os.environ where it is None.

        Raises SecretError, with all that is wrong in one, and never shows a value.
        """
        ...


def opened_from(
    environment: str,
    raw: Mapping[str, Secret],
    *,
    types: Mapping[str, str] = _NONE,
    required: Iterable[str] = (),
    hint: str | None = None,
) -> Opened:
    """The values that `raw` holds as bytes, parsed by their types, for a source of your own.

    A name that `types` does not have is `text`. Every required name must be there. `hint` says
    how a value is given to this source; all that is wrong is told in one SecretError.
    """
    wrong: list[SecretError] = []
    values: dict[str, Secret] = {}
    for name, secret in raw.items():
        found = _parsed(name, types.get(name, "text"), secret)
        if isinstance(found, Secret):
            values[name] = found
        else:
            reason, why = found
            subject = f"secret '{name}' of {environment}" if names.is_secret(name) else environment
            wrong.append(SecretError(f"{subject}: {why}", reason=reason))
    wrong += [
        SecretError(
            f"secret '{name}': required, but environment '{environment}' has no value",
            reason="missing",
        )
        for name in dict.fromkeys(required)
        if name not in raw
    ]
    if wrong:
        raise SecretError(all_wrong(it.message for it in wrong), hint, reason=wrong[0].reason)
    return Opened(environment, values, hint=hint)


def _parsed(name: str, kind: str, secret: Secret) -> Secret | tuple[str, str]:
    """The value, or why there is none: told by a frame that does not hold it."""
    try:
        if not names.is_secret(name):
            raise RefusalError(
                "context", "the name of a secret is not upper-case letters, digits and '_'"
            )
        if len(secret.reveal()) > MAX_VALUE:
            raise RefusalError("value", f"longer than {MAX_VALUE:,} bytes")
        return Secret(kinds.parse(kind, secret.reveal()))
    except RefusalError as refusal:
        return refusal.reason, refusal.text
