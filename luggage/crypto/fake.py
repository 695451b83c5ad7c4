"""Plain values → a stand-in for `Secrets` that needs no key, for the tests of an application."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from luggage.crypto import names
from luggage.crypto import types as kinds
from luggage.crypto.errors import SecretError
from luggage.crypto.secret import Secret
from luggage.crypto.secrets import Opened, Secrets
from luggage.crypto.source import opened_from
from luggage.errors import all_wrong

ENVIRONMENT = "fake"
_HINT = "give it to crypto.FakeSecrets"


class FakeSecrets:
    """A crypto.Source of the values it was made with: no key, no file, no environment.

    A value is text where it is a str, bytes where it is bytes, else JSON, and must be one that a
    sealed value of that type can hold: an app gets from this what it would get from `Secrets`.
    """

    def __init__(self, values: Mapping[str, Any], *, environment: str = ENVIRONMENT) -> None:
        raw = {name: _raw(name, value) for name, value in values.items()}
        types = {name: _kind(value) for name, value in values.items()}
        self._opened = opened_from(environment, raw, types=types, hint=_HINT)

    @classmethod
    def of(
        cls,
        secrets: Secrets,
        /,
        *,
        types: Mapping[str, str] = MappingProxyType({}),
        environment: str = ENVIRONMENT,
        **values: Any,
    ) -> FakeSecrets:
        """A fake for every name that `secrets` requires: the one in `values`, else a made-up one.

        Without a key nobody sees a sealed value's type, so a made-up value is `text` unless `types`
        names another of docs/format.md §3.2. A name that `secrets` does not know is refused: a
        typing error in a test would hide what the app asks for.
        """
        _check(secrets, values, types)
        made = {name: _made_up(name, types.get(name, "text")) for name in secrets.required}
        made |= {name: _made_up(name, kind) for name, kind in types.items()}
        return cls({**made, **values}, environment=environment)

    def open(self, environ: Mapping[str, str] | None = None) -> Opened:
        """The values; `environ` is not looked at."""
        return self._opened

    def __repr__(self) -> str:
        return f"<FakeSecrets {self._opened.environment}: {', '.join(sorted(self._opened))}>"


def _check(secrets: Secrets, values: Mapping[str, Any], types: Mapping[str, str]) -> None:
    if isinstance(secrets.required, str):
        raise SecretError(
            "required: one text, not a tuple: a comma is missing after it", reason="config"
        )
    known = {*secrets.required}
    known |= {name for there in secrets.environments.values() for name in there.values}
    wrong = [
        f"secret '{name}': project '{secrets.project}' has none of that name"
        for name in sorted({*values, *types} - known)
    ]
    wrong += [
        f"secret '{name}': there is no such type: one of {', '.join(kinds.NAMES)}"
        for name, kind in types.items()
        if kind not in kinds.NAMES
    ]
    if wrong:
        raise SecretError(
            all_wrong(wrong), f"it has: {', '.join(sorted(known)) or 'none'}", reason="missing"
        )


def _made_up(name: str, kind: str) -> Any:
    """A value that shows what it is wherever it turns up; its host never resolves (RFC 2606)."""
    match kind:
        case "bytes":
            return f"fake-{name}".encode()
        case "json":
            return {"fake": name}
        case "url":
            return f"https://fake-{name.lower().replace('_', '-')}.invalid/"
    return f"fake-{name}"


def _kind(value: Any) -> str:
    if isinstance(value, bytes):
        return "bytes"
    return "text" if isinstance(value, str) else "json"


def _raw(name: str, value: Any) -> Secret:
    import json  # noqa: PLC0415 - as in types: every start of an app imports this room

    try:
        if isinstance(value, bytes):
            return Secret(value)
        text = value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        return Secret(text.encode("utf-8"))
    except (TypeError, ValueError, RecursionError):
        pass
    subject = f"secret '{name}'" if names.is_secret(name) else "a fake"
    raise SecretError(f"{subject}: neither text nor bytes, nor what JSON can hold", reason="value")
