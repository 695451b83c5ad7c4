"""The bytes of a config module → everything that is wrong with them, each with its line.

The grammar's reader stops at the first mistake. Where it finds one, a second walk goes on behind
each; what that walk misses the reader has still told, so nothing passes that it refuses.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from luggage.configfile import grammar, recipients
from luggage.configfile.model import Config
from luggage.configfile.module import NAME, ConfigError, bound, parse
from luggage.crypto import envelope, keys, names
from luggage.crypto.errors import RefusalError, SecretError

_LIKE = re.compile(r"lug[0-9]|.?lug1\.")
# What other tools write before a value that they sealed.
_OTHERS = {
    "EJ[": "ejson",
    "ENC[": "sops",
    "encrypted:": "dotenvx",
    "$ANSIBLE_VAULT": "ansible-vault",
    "-----BEGIN AGE": "age",
}


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, and the line it is in, from 1; line 0 is the module as a whole.

    `replaced` is an environment whose public key is not that of any of its values.
    """

    line: int
    message: str
    hint: str = ""
    replaced: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"config.py: {where}{self.message}"


def form(source: bytes) -> tuple[Config | None, list[Problem]]:
    """What `source` states, where it follows the grammar (docs/format.md §4), and all that is
    wrong: with the grammar, and with what it states.
    """
    try:
        config = grammar.read(source)
        return config, _missing(config, source)
    except ConfigError as error:
        first = Problem(error.line, _bare(error), error.hint or "")
    try:
        tree = parse(source)
    except ConfigError:
        return None, [first]
    found = _Walk(source, tree).problems()
    # The reader's own words only where the walk has none for that line.
    if not any(problem.line == first.line for problem in found):
        found.append(first)
    return None, sorted(set(found))


def _missing(config: Config, source: bytes) -> list[Problem]:
    """Each required name that an environment has no value for."""
    lines = line_numbers(source)
    return [
        _lacking(entry.key.value, name, lines(entry.key.start))
        for entry in config.table.entries
        for name in config.required or ()
        if name not in config.environments[entry.key.value].values
    ]


def _lacking(environment: str, name: str, line: int) -> Problem:
    return Problem(
        line,
        f"environment '{environment}': {name} is required, but has no value",
        f"python -m deploy encrypt {name} --env {environment}",
    )


def line_numbers(source: bytes) -> Callable[[int], int]:
    """A function from an offset in `source` to its line, from 1."""
    starts = [0, *(match.end() for match in re.finditer(rb"\n", source))]
    return lambda offset: bisect_right(starts, offset)


def places(source: bytes, config: Config) -> Mapping[tuple[str, str], int]:
    """The line of every sealed value, by environment and name."""
    lines = line_numbers(source)
    return {
        (environment, name): lines(literal.start)
        for environment, there in config.environments.items()
        for name, literal in there.values.items()
    }


class _Walk:
    """Reads as the grammar's reader does, but goes on behind a mistake."""

    def __init__(self, source: bytes, tree: ast.Module) -> None:
        self.tree = tree
        self.reader = grammar.Reader(source)
        self.found: list[Problem] = []
        self.required: tuple[str, ...] = ()
        self.used: set[str] = set()

    def problems(self) -> list[Problem]:
        with self.noting():
            self.reader.assignment()
        for call in self.assigned():
            words = self.call(call, "Secrets", ("required",))
            if "project" in words:
                with self.noting():
                    project = self.reader.string(words["project"])
                    if not names.is_place(project.value):
                        self.note(words["project"], "the project's name breaks the grammar")
            if "required" in words:
                with self.noting():
                    items = self.reader.required(words["required"]).items
                    self.required = tuple(item.value for item in items)
            if "environments" in words:
                self.environments(words["environments"])
        return self.found

    def assigned(self) -> Iterator[ast.expr]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and any(NAME in bound(it) for it in node.targets):
                yield node.value

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note what the reader refuses, and go on."""
        try:
            yield
        except ConfigError as error:
            self.found.append(Problem(error.line, _bare(error), error.hint or ""))

    def note(self, node: ast.AST, message: str, hint: str = "") -> None:
        self.found.append(Problem(getattr(node, "lineno", 0), message, hint))

    def call(
        self, node: ast.expr, name: str, optional: tuple[str, ...] = ()
    ) -> dict[str, ast.expr]:
        """The keyword arguments of a call, whatever else is wrong with it."""
        with self.noting():
            self.reader.call(node, name, optional)
        if not isinstance(node, ast.Call):
            return {}
        return {word.arg: word.value for word in node.keywords if word.arg is not None}

    def environments(self, node: ast.expr) -> None:
        seen: dict[str, str] = {}
        self.used = recipients.key_ids(node.values if isinstance(node, ast.Dict) else ())
        for name, value in self.entries(node, names.is_place):
            words = self.call(value, "Environment")
            if self.replaced(name, words):
                continue
            key_id = self.public_key(name, words.get("public_key"))
            if key_id and key_id in seen:
                self.note(value, f"environments '{seen[key_id]}' and '{name}' have the same key")
            seen[key_id] = name
            epoch = words.get("epoch")
            if epoch is not None and not (
                isinstance(epoch, ast.Constant) and names.is_count(epoch.value)
            ):
                self.note(epoch, f"environment '{name}': its epoch is not an integer from 1")
            there = set()
            if "values" in words:
                for secret, sealed in self.entries(words["values"], names.is_secret):
                    there.add(secret)
                    self.value(name, secret, sealed, key_id)
            for secret in self.required:
                if secret not in there:
                    self.found.append(_lacking(name, secret, value.lineno))

    def replaced(self, environment: str, words: Mapping[str, ast.expr]) -> bool:
        """Whether the key was replaced: then nothing else of the environment is worth a word."""
        public, values = words.get("public_key"), words.get("values")
        if public is None or not isinstance(values, ast.Dict):
            return False
        try:
            key_id = keys.parse_public(self.reader.string(public).value).id
        except (ConfigError, SecretError):
            return False
        texts = [it.value if isinstance(it, ast.Constant) else None for it in values.values]
        why = recipients.replaced(texts, key_id, self.used)
        if why:
            message = f"environment '{environment}': {why}"
            self.found.append(Problem(public.lineno, message, recipients.RESTORE, environment))
        return why is not None

    def public_key(self, environment: str, node: ast.expr | None) -> str:
        """The key id, or nothing where the key is wrong, which is noted."""
        if node is None:
            return ""
        with self.noting():
            literal = self.reader.string(node)
            try:
                return keys.parse_public(literal.value).id
            except SecretError as error:
                self.note(node, f"environment '{environment}': {error.message}", error.hint or "")
        return ""

    def entries(
        self, node: ast.expr, is_key: Callable[[object], bool]
    ) -> Iterator[tuple[str, ast.expr]]:
        """The entries of a dict, a name that breaks the grammar as '?'; names are not quoted then,
        as one could be a value in the wrong place.
        """
        if not isinstance(node, ast.Dict):
            self.note(node, "a dict belongs here: a computed one cannot be checked")
            return
        seen: dict[str, int] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = "?"
            if key is None:
                self.note(value, "`**` in a dict: what it adds cannot be checked")
                continue
            with self.noting():
                name = self.reader.string(key).value
            if not is_key(name):
                if name != "?":
                    self.note(key, "a name does not follow the grammar")
                name = "?"
            elif name in seen:
                self.note(key, f"'{name}' stands twice: the first is in line {seen[name]}")
            seen[name] = key.lineno
            yield name, value

    def value(self, environment: str, name: str, node: ast.expr, key_id: str) -> None:
        if not isinstance(node, ast.Constant):
            self.note(node, f"secret '{name}': computed: only a sealed text can be checked")
            return
        text = None
        with self.noting():
            text = self.reader.string(node).value
        if text is None:
            return
        why = _sealed(text, key_id)
        if why:
            hint = recipients.again(name, environment, text, self.used)
            self.note(node, f"secret '{name}': {why}", hint)


def _sealed(text: str, key_id: str) -> str | None:
    try:
        recipient = envelope.recipient(text)
    except RefusalError as refusal:
        return _plain(text) if refusal.reason == "plaintext" else refusal.text
    if key_id and recipient != key_id:
        return f"sealed to key {recipient}, but its environment has key {key_id}"
    return None


def _plain(text: str) -> str:
    """What a text that is not sealed is: told without quoting it."""
    for start, tool in _OTHERS.items():
        if text.startswith(start):
            return f"not sealed by luggage: it starts as values of {tool} do"
    folded = unicodedata.normalize("NFKC", text).casefold()
    bare = "".join(c for c in folded if c.isascii() and not c.isspace())
    if _LIKE.match(bare):
        return "looks like a sealed value, but is none: it does not start `lug1.`"
    return "not sealed: the config module holds it in clear, so consider it leaked"


def _bare(error: ConfigError) -> str:
    """The message without the file and the line, which a Problem adds."""
    where = f"config.py: line {error.line}: " if error.line else "config.py: "
    return error.message.removeprefix(where)
