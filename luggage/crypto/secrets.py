"""The literals of a config module + a key → the values of one environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn

from luggage.crypto import envelope, keys, names, sources
from luggage.crypto.envelope import Context
from luggage.crypto.errors import MissingSecretError, SecretError
from luggage.crypto.keys import Bundle, PrivateKey, PublicKey
from luggage.crypto.secret import Secret
from luggage.errors import all_wrong

_MISSING: Any = object()


@dataclass(frozen=True, init=False)
class Environment:
    """One place the product runs: its public key, the count of its key pairs, its sealed values.

    It takes any words: what is wrong with them is told by `Secrets`, which knows the format.
    """

    public_key: str
    epoch: int
    values: Mapping[str, str] = field(repr=False)

    def __init__(
        self,
        *,
        public_key: str = _MISSING,
        epoch: int = _MISSING,
        values: Mapping[str, str] = _MISSING,
        **unknown: object,
    ) -> None:
        _fill(self, {"public_key": public_key, "epoch": epoch, "values": values}, unknown)


class Opened(Mapping[str, Secret]):
    """The values of `environment`, by name; a name without a value raises SecretError."""

    __slots__ = ("_hint", "_values", "environment")

    def __init__(
        self, environment: str, values: Mapping[str, Secret], *, hint: str | None = None
    ) -> None:
        """`hint` says how a value is added where it is not by `encrypt`."""
        self.environment = environment
        self._hint = hint
        self._values = MappingProxyType(dict(values))

    def __getitem__(self, name: str) -> Secret:
        try:
            return self._values[name]
        except KeyError:
            pass
        raise MissingSecretError(
            f"secret '{name}': environment '{self.environment}' has no value",
            self._hint or f"python -m deploy encrypt {name} --env {self.environment}",
            reason="missing",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Opened {self.environment}: {', '.join(sorted(self))}>"


@dataclass(frozen=True, init=False)
class Secrets:
    """The secrets of a deployment, as its config module states them.

    Making one opens nothing, and checks nothing but `format` and then the words: importing a config
    module is cheap and needs no key. `open` checks the rest.
    """

    format: int
    project: str
    environments: Mapping[str, Environment]
    required: tuple[str, ...] | list[str] = ()

    def __init__(
        self,
        *,
        format: int = _MISSING,
        project: str = _MISSING,
        environments: Mapping[str, Environment] = _MISSING,
        required: tuple[str, ...] | list[str] = (),
        **unknown: object,
    ) -> None:
        if format is not _MISSING and (type(format) is not int or format != 1):
            of = "" if project is _MISSING else f"project '{project}': "
            raise SecretError(
                f"{of}the format of its secrets is unknown: only 1 is known",
                "a newer luggage wrote it: install that version",
                reason="version",
            )
        words = {"format": format, "project": project, "environments": environments}
        _fill(self, {**words, "required": required}, unknown)
        problems = _Problems()
        for subject, stated in {"Secrets": self, **_environments(environments)}.items():
            for problem in vars(stated)["_problems"]:
                problems.note(f"{subject}: {problem}")
        problems.raise_any()

    def open(self, environ: Mapping[str, str] | None = None) -> Opened:
        """The values of the environment that the key is for; finds the key by `crypto.sources`.

        Every value of that environment is opened and checked, and every required name must have
        one: all that is wrong is told in one SecretError.
        """
        found = sources.read(os.environ if environ is None else environ)
        return self.open_with(keys.parse_keys(found.text, found.source), found.source)

    def open_with(self, bundle: Bundle, source: str = "key") -> Opened:
        """As `open`, with the keys of `bundle`, which came from `source`."""
        public_keys = self._public_keys()
        name, key = self._choose(public_keys, bundle, source)
        problems = _Problems()
        values: dict[str, Secret] = {}
        key_names = {public.id: environment for environment, public in public_keys.items()}
        for secret, text in self.environments[name].values.items():
            place = Context(self.project, name, secret, key.public, self.environments[name].epoch)
            try:
                values[secret] = self._unseal(place, text, key, key_names, source)
            except SecretError as error:
                problems.add(error)
        for secret in self.required:
            if secret not in self.environments[name].values:
                problems.add(
                    SecretError(
                        f"secret '{secret}': required, but environment '{name}' of project "
                        f"'{self.project}' has no value",
                        f"python -m deploy encrypt {secret} --env {name}",
                        reason="missing",
                    )
                )
        problems.raise_any()
        return Opened(name, values)

    def _public_keys(self) -> dict[str, PublicKey]:
        """The checked public key of each environment; raises SecretError with all that is wrong."""
        problems = _Problems()
        found: dict[str, PublicKey] = {}
        if not names.is_place(self.project):
            problems.note("project: its name is not lower-case letters, digits and '-'")
        if isinstance(self.required, str):
            problems.note("required: one text, not a tuple: a comma is missing after it")
        for secret in () if isinstance(self.required, str) else self.required:
            if not names.is_secret(secret):
                problems.note("required: a name is not upper-case letters, digits and '_'")
        for name, environment in self.environments.items():
            subject = f"environment '{name}'"
            if not names.is_place(name):
                problems.note("environments: a name is not lower-case letters, digits and '-'")
                continue
            if not isinstance(environment, Environment):
                problems.note(f"{subject}: not a crypto.Environment")
                continue
            if not names.is_count(environment.epoch):
                problems.note(f"{subject}: its epoch is not an integer from 1 to 2^63 - 1")
            try:
                found[name] = keys.parse_public(environment.public_key, f"{subject}: public key")
            except SecretError as error:
                problems.add(error)
        for first, second in _same(found):
            problems.note(f"environments '{first}' and '{second}': have the same public key")
        problems.raise_any()
        return found

    def _choose(
        self, public_keys: Mapping[str, PublicKey], bundle: Bundle, source: str
    ) -> tuple[str, PrivateKey]:
        matches = [
            (name, key)
            for name, public in public_keys.items()
            for key in bundle.keys
            if key.public == public
        ]
        if len(matches) == 1:
            return matches[0]
        known = ", ".join(f"'{name}' has {key.id}" for name, key in public_keys.items()) or "none"
        given = ", ".join(key.public.id for key in bundle.keys)
        if matches:
            both = " and ".join(f"'{name}'" for name, _ in matches)
            raise SecretError(
                f"{source}: holds keys of the environments {both} of project '{self.project}'",
                "give the key of the one to run",
                reason="ambiguous",
            )
        raise SecretError(
            f"{source}: key {given} opens no environment of project '{self.project}': {known}",
            f"give the private key of one of them: the file that `keygen` made for it, such as "
            f"{next(iter(public_keys), 'NAME')}.key",
            reason="no-match",
        )

    def _unseal(
        self, place: Context, text: str, key: PrivateKey, key_names: Mapping[str, str], source: str
    ) -> Secret:
        name, environment = place.name, place.environment
        if not names.is_secret(name):
            raise SecretError(
                f"environment '{environment}': the name of a secret is not upper-case letters, "
                "digits and '_'",
                reason="context",
            )
        try:
            return envelope.unseal(text, key, place)
        except SecretError as error:
            if error.reason != "key-id":
                raise
            wrong = error
        other = key_names.get(envelope.recipient(text))
        if other is None:
            raise wrong
        raise SecretError(
            f"secret '{name}': sealed for environment '{other}', but {source} is for "
            f"'{environment}'",
            f"remove its line from config.py, then: python -m deploy encrypt {name} "
            f"--env {environment}",
            reason="key-id",
        )


def _fill(stated: Secrets | Environment, words: Mapping[str, Any], unknown: Iterable[str]) -> None:
    """Make `words` the fields of a frozen dataclass, and note which are unknown or missing."""
    missing = [word for word, value in words.items() if value is _MISSING]
    problems = [f"'{word}' is unknown" for word in unknown]
    problems += [f"'{word}' is missing" for word in missing]
    vars(stated).update(words, _problems=tuple(problems))


def _environments(stated: object) -> dict[str, Environment]:
    """Those whose words can be looked at; `open` tells what is no Environment."""
    found = stated.items() if isinstance(stated, Mapping) else ()
    return {f"environment '{name}'": it for name, it in found if isinstance(it, Environment)}


def _same(found: Mapping[str, PublicKey]) -> Iterator[tuple[str, str]]:
    seen: dict[bytes, str] = {}
    for name, public in found.items():
        if public.raw in seen:
            yield seen[public.raw], name
        seen.setdefault(public.raw, name)


class _Problems:
    """Everything wrong, to be told in one error."""

    def __init__(self) -> None:
        self._found: list[SecretError] = []

    def add(self, error: SecretError) -> None:
        self._found.append(error)

    def note(self, message: str) -> None:
        self.add(SecretError(message, reason="config"))

    def raise_any(self) -> None:
        if not self._found:
            return
        hints = dict.fromkeys(error.hint for error in self._found if error.hint)
        self._fail(
            all_wrong(dict.fromkeys(error.message for error in self._found)),
            "\n".join(hints) or "correct config.py, or restore it from git",
            self._found[0].reason,
        )

    def _fail(self, message: str, hint: str, reason: str) -> NoReturn:
        raise SecretError(message, hint, reason=reason)
