"""The bytes of a config module → its secrets, each with its place in the bytes (format.md §4)."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NoReturn

from luggage.configfile import plain, recipients
from luggage.configfile.model import (
    Config,
    Entry,
    Environment,
    Literal,
    Required,
    Span,
    Table,
)
from luggage.configfile.module import BOM, NAME, ConfigError, bound, parse
from luggage.crypto import envelope, keys, names
from luggage.crypto.errors import RefusalError, SecretError

_COMMENT = re.compile(rb"#[^\n]*")
_BEFORE = re.compile(rb";(?:[ \t\f]|\\\r?\n)*\Z")
_AFTER = re.compile(rb"(?:[ \t\f]|\\\r?\n)*;")
_CALLEE = r"(?:[A-Za-z_][A-Za-z0-9_]*\.)*"


def read(source: bytes) -> Config:
    """The secrets that `source` states; raises ConfigError where it breaks the grammar."""
    return Reader(source).read()


class Reader:
    """Walks the tree of one module; `self.offset` turns its positions into byte offsets."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.tree = parse(source)
        self.lines = [0, *(match.end() for match in re.finditer(rb"\n", source))]
        self.bom = len(BOM) if source.startswith(BOM) else 0

    def offset(self, line: int | None, column: int | None) -> int:
        """A position of ast (line from 1, UTF-8 bytes from the line's start) as a byte offset."""
        assert line is not None  # noqa: S101 - ast gives every expression both ends
        assert column is not None  # noqa: S101
        return self.lines[line - 1] + column + (self.bom if line == 1 else 0)

    def read(self) -> Config:
        statement = self.assignment()
        call = statement.value
        self.known_format(call)
        callee, words = self.call(call, "Secrets", ("required",))
        project = self.string(words["project"])
        if not names.is_place(project.value):
            self.refuse(words["project"], "the project's name does not follow the grammar")
        required = self.required(words["required"]) if "required" in words else None
        table, nodes = self.table(words["environments"], names.is_place)
        used = recipients.key_ids(nodes)
        environments = {
            entry.key.value: self.environment(node, entry.key.value, used)
            for entry, node in zip(table.entries, nodes, strict=True)
        }
        public = [environment.public_key for environment in environments.values()]
        if len(set(public)) != len(public):
            self.refuse(words["environments"], "two environments have the same public key")
        self.nothing_besides(statement)
        listed = tuple(item.value for item in required.items) if required else None
        return Config(callee, project.value, listed, environments, table, required)

    def known_format(self, node: ast.expr) -> None:
        """Refuse another format than 1 before anything else that a later one may have changed."""
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg == "format":
                version = keyword.value
                if not isinstance(version, ast.Constant) or type(version.value) is not int:
                    self.refuse(version, "format is not a plain number")
                if version.value != 1:
                    self.refuse(version, "the format is unknown: only 1 is known")

    def assignment(self) -> ast.Assign:
        """The one statement that binds the name; nothing else may bind it, wherever it stands."""
        found = [
            node
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == NAME
        ]
        if not found:
            raise ConfigError(f"no assignment `{NAME} = crypto.Secrets(…)` at the top level")
        for node in ast.walk(self.tree):
            if node is not found[0].targets[0] and NAME in bound(node):
                self.refuse(node, f"{NAME} is bound a second time")
        self.alone(found[0])
        return found[0]

    def alone(self, statement: ast.Assign) -> None:
        """Refuse a `;` before or after it."""
        at = self.tree.body.index(statement)
        ends = [0, *(self.offset(it.end_lineno, it.end_col_offset) for it in self.tree.body)]
        starts = [self.offset(it.lineno, it.col_offset) for it in self.tree.body]
        before = _COMMENT.sub(b"", self.source[ends[at] : starts[at]])
        after = _COMMENT.sub(b"", self.source[ends[at + 1] : [*starts, None][at + 1]])
        if _BEFORE.search(before) or _AFTER.match(after):
            self.refuse(statement, f"{NAME} is assigned in a line with another statement")

    def call(
        self, node: ast.expr, name: str, optional: tuple[str, ...] = ()
    ) -> tuple[str, dict[str, ast.expr]]:
        """The callee's text and the keyword arguments of a call of `name`."""
        if not isinstance(node, ast.Call):
            self.refuse(node, f"a call of {name} belongs here")
        callee = ast.unparse(node.func)
        if not re.fullmatch(_CALLEE + name, callee):
            self.refuse(node, f"a call of {name} belongs here")
        known = _WORDS[name]
        words: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg not in known or keyword.arg in words:
                self.refuse(keyword.value, f"{name} takes each of {', '.join(known)} once")
            words[keyword.arg] = keyword.value
        if node.args or not set(known) - set(words) <= set(optional):
            self.refuse(node, f"{name} takes {', '.join(known)}, by keyword")
        return callee, words

    def string(self, node: ast.expr | None) -> Literal:
        """A plain string literal: between its quotes stands its value, byte for byte."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            self.refuse(node, "a plain string literal belongs here")
        start = self.offset(node.lineno, node.col_offset)
        end = self.offset(node.end_lineno, node.end_col_offset)
        text = node.value.encode("utf-8", "surrogatepass")
        if self.source[start:end] not in (b'"' + text + b'"', b"'" + text + b"'"):
            self.refuse(node, "a string here has no prefix, no escape and one pair of quotes")
        return Literal(node.value, start, end)

    def required(self, node: ast.expr) -> Required:
        if not isinstance(node, ast.Tuple | ast.List):
            self.refuse(node, "required is not a tuple or a list (a tuple of one has a comma)")
        items = tuple(self.string(item) for item in node.elts)
        found = [item.value for item in items]
        if len(set(found)) != len(found) or not all(map(names.is_secret, found)):
            self.refuse(node, "required holds names of secrets, none twice")
        return Required(items, isinstance(node, ast.Tuple))

    def table(
        self, node: ast.expr, is_key: Callable[[object], bool]
    ) -> tuple[Table, list[ast.expr]]:
        """A dict with keys that `is_key` accepts, none twice, and the nodes of its values."""
        if not isinstance(node, ast.Dict):
            self.refuse(node, "a dict belongs here")
        entries = []
        seen: set[str] = set()
        for key_node, value in zip(node.keys, node.values, strict=True):
            key = self.string(key_node) if key_node else self.refuse(value, "`**` in a dict")
            if not is_key(key.value):
                self.refuse(key_node, "a name does not follow the grammar")
            if key.value in seen:
                self.refuse(key_node, f"'{key.value}' stands twice")
            seen.add(key.value)
            entries.append(Entry(key, self.offset(value.end_lineno, value.end_col_offset)))
        opening = self.offset(node.lineno, node.col_offset)
        return Table(opening, tuple(entries)), node.values

    def environment(self, node: ast.expr, name: str, used: set[str]) -> Environment:
        """One environment; `used` are the key ids of all."""
        callee, words = self.call(node, "Environment")
        public = self.string(words["public_key"])
        try:
            public_key = keys.parse_public(public.value)
        except SecretError as error:
            why = error.message
        else:
            why = ""
        if why:
            self.refuse(words["public_key"], why)
        epoch = words["epoch"]
        if not isinstance(epoch, ast.Constant) or not names.is_count(epoch.value):
            self.refuse(epoch, "the epoch is not an integer from 1 to 2^63 - 1")
        table, nodes = self.table(words["values"], names.is_secret)
        texts = [it.value if isinstance(it, ast.Constant) else None for it in nodes]
        changed = recipients.replaced(texts, public_key.id, used)
        if changed:
            line = words["public_key"].lineno
            raise ConfigError(f"environment '{name}': {changed}", line, recipients.RESTORE)
        values = {}
        for entry, value in zip(table.entries, nodes, strict=True):
            values[entry.key.value] = literal = self.string(value)
            problem = _sealed_problem(literal.value, public_key.id)
            if problem:
                hint = recipients.again(entry.key.value, name, literal.value, used)
                raise ConfigError(f"secret '{entry.key.value}': {problem}", value.lineno, hint)
        assert isinstance(epoch.value, int)  # noqa: S101 - is_count says so
        epoch_at = Span(
            self.offset(epoch.lineno, epoch.col_offset),
            self.offset(epoch.end_lineno, epoch.end_col_offset),
        )
        return Environment(callee, public.value, epoch.value, values, table, public, epoch_at)

    def nothing_besides(self, statement: ast.Assign) -> None:
        """Refuse what the tree does not show: parentheses, joined strings, odd numbers.

        Without white space, comments and last commas the statement must be as the tree, written
        anew, is.
        """
        start = self.offset(statement.lineno, statement.col_offset)
        end = self.offset(statement.end_lineno, statement.end_col_offset)
        at = plain.difference(self.source[start:end], ast.unparse(statement).encode("utf-8"))
        if at is not None:
            raise ConfigError(
                f"{NAME} is not in plain form: no parentheses, no computed values, plain numbers",
                bisect_right(self.lines, start + at),
            )

    def refuse(self, node: ast.AST | None, why: str) -> NoReturn:
        raise ConfigError(why, getattr(node, "lineno", 0))


_WORDS = {
    "Secrets": ("format", "project", "required", "environments"),
    "Environment": ("public_key", "epoch", "values"),
}


def _sealed_problem(text: str, key_id: str) -> str | None:
    """What is wrong with a sealed value, as far as can be seen without a key."""
    try:
        recipient = envelope.recipient(text)
    except RefusalError as refusal:
        return refusal.text
    return None if recipient == key_id else "sealed to another key than its environment's"
