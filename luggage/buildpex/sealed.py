"""The text of a config module → the SHA-256 of every sealed value in it, without importing it."""

from __future__ import annotations

import ast
import hashlib
import re

from luggage.errors import LuggageError

_SEALED = re.compile(r"lug1\.[A-Za-z0-9_-]{11}\.[A-Za-z0-9_-]+")

Sealed = dict[str, dict[str, str]]


def digests(source: bytes, path: str, project: str) -> Sealed:
    """Environment → secret → SHA-256 of the sealed value's text (docs/format.md, §4 and §6).

    A module without `SECRETS` has none. Raises LuggageError where `SECRETS` is not written as the
    grammar says (what is computed when the module runs cannot be named before), is another
    project's, or holds a value that was never sealed: it would be packed for all to read.
    """
    try:
        assignment = _assignment(ast.parse(source))
        if assignment is None:
            return {}
        secrets = _call(assignment, "Secrets")
        if (named := _text(secrets["project"])) != project:
            raise ValueError(f"of project '{named}', but what is packed is '{project}'")
        return {
            name: {
                secret: hashlib.sha256(_sealed(secret, value).encode()).hexdigest()
                for secret, value in _items(_call(environment, "Environment")["values"])
            }
            for name, environment in _items(secrets["environments"])
        }
    except (SyntaxError, ValueError, KeyError) as error:
        reason = f"SECRETS without {error}" if isinstance(error, KeyError) else error
        raise LuggageError(
            f"config module '{path}': {reason}", "write SECRETS as docs/format.md, §4, says"
        ) from error


def _assignment(tree: ast.Module) -> ast.expr | None:
    """The value of the one assignment to SECRETS, or None where nothing is assigned to it."""
    found = [node for node in ast.walk(tree) if _names_secrets(node)]
    if not found:
        return None
    (node, *more) = found
    if more or node not in tree.body or not isinstance(node, ast.Assign | ast.AnnAssign):
        raise ValueError("SECRETS is not assigned once, at the top level")
    return node.value


def _names_secrets(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr):
        targets = [node.target]
    else:
        return False
    return any(
        isinstance(name, ast.Name) and name.id == "SECRETS"
        for target in targets
        for name in ast.walk(target)
    )


def _call(node: ast.expr, callee: str) -> dict[str, ast.expr]:
    if (
        not isinstance(node, ast.Call)
        or node.args
        or ast.unparse(node.func).rpartition(".")[2] != callee
    ):
        raise ValueError(f"not a call of {callee} with keyword arguments alone")
    arguments = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    if len(arguments) != len(node.keywords):
        raise ValueError(f"{callee}: ** is no literal")
    return arguments


def _items(node: ast.expr) -> list[tuple[str, ast.expr]]:
    if not isinstance(node, ast.Dict) or None in node.keys:
        raise ValueError("a dict is not written as one")
    keys = [_text(key) for key in node.keys if key]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"'{key}' stands twice")
    return list(zip(keys, node.values, strict=True))


def _text(node: ast.expr) -> str:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise ValueError(f"line {node.lineno}: not a plain string")
    return node.value


def _sealed(secret: str, node: ast.expr) -> str:
    text = _text(node)
    if not _SEALED.fullmatch(text):
        raise ValueError(f"secret '{secret}': not a sealed value")
    return text
