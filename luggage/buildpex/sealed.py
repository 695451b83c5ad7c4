"""The text of a config module → the SHA-256 of every sealed value in it, without importing it.

Standard library alone, as packing has no more: what can be seen without a key is checked here.
"""

from __future__ import annotations

import ast
import base64
import binascii
import hashlib
import re

from luggage.errors import LuggageError, all_wrong
from luggage.proof import manifest
from luggage.proof import serial as numbered

_PUBLIC = "lugpub1."
_MAX_TEXT = 90_000
_SEALED = re.compile(r"lug1\.(?P<key>[A-Za-z0-9_-]{11})\.(?P<box>[A-Za-z0-9_-]+)")
_LATER = re.compile(r"lug[0-9]+\.")
_OVERHEAD = 48  # bytes that a sealed box has beside its payload: docs/format.md, §3
_BUCKET = 64

Sealed = dict[str, dict[str, str]]


def digests(source: bytes, path: str, project: str) -> Sealed:
    """Environment → secret → SHA-256 of the sealed value's text (docs/format.md, §4 and §6).

    A module without `SECRETS` has none. Raises LuggageError where `SECRETS` is not written as the
    grammar says (what is computed when the module runs cannot be named before), is another
    project's, or holds a value that was never sealed (it would be packed for all to read), or one
    that no key can open; these are told all at once.
    """
    wrong: list[str] = []
    found: Sealed = {}
    try:
        secrets = _secrets(source)
        if secrets is None:
            return {}
        if (named := _text(secrets["project"])) != project:
            raise LuggageError(
                f"config module '{path}': of project '{named}', but what is packed is '{project}'",
                f"to be '{project}': write project=\"{project}\" in SECRETS, and encrypt each "
                "value anew:\nit opens only under the name it was sealed for (python -m deploy "
                f"encrypt NAME)\nto stay '{named}': write that name in PACK (mkpex.py), and at "
                "the top of create",
            )
        for name, environment in _items(secrets["environments"]):
            stated = _call(environment, "Environment")
            values = _items(stated["values"])
            wrong += _misnamed(name, [secret for secret, _ in values])
            try:
                key_id = _key_id(_text(stated["public_key"]))
            except ValueError as error:
                wrong.append(f"environment '{name}': its public key {error}")
                key_id = None
            found[name] = {}
            for secret, node in values:
                text = _text(node)
                try:
                    _look(text, key_id)
                except ValueError as error:
                    wrong.append(f"secret '{secret}': {error} (environment '{name}')")
                found[name][secret] = hashlib.sha256(text.encode()).hexdigest()
    except (SyntaxError, ValueError, KeyError) as error:
        reason = f"SECRETS without {error}" if isinstance(error, KeyError) else error
        raise LuggageError(
            f"config module '{path}': {reason}", "write SECRETS as docs/format.md, §4, says"
        ) from error
    if wrong:
        raise LuggageError(
            all_wrong(f"config module '{path}': {line}" for line in wrong),
            "docs/format.md, §1 to §4, says how they look\n"
            "a value that is broken: remove its line, then python -m deploy encrypt NAME",
        )
    return found


def missing(source: bytes) -> dict[str, tuple[str, ...]]:
    """Environment → the required names that it has no value for; `digests` has read it before."""
    secrets = _secrets(source)
    node = secrets.get("required") if secrets else None
    if secrets is None or not isinstance(node, ast.Tuple | ast.List):
        return {}
    required = [_text(name) for name in node.elts]
    found = {}
    for name, environment in _items(secrets["environments"]):
        stated = {secret for secret, _ in _items(_call(environment, "Environment")["values"])}
        if lacking := tuple(secret for secret in required if secret not in stated):
            found[name] = lacking
    return found


def serial(source: bytes, path: str) -> int | None:
    """The serial that the config module states, or None (docs/format.md, §4)."""
    found = numbered.find(source, path)
    return found.number if found else None


def _secrets(source: bytes) -> dict[str, ast.expr] | None:
    assignment = _assignment(ast.parse(source))
    return None if assignment is None else _call(assignment, "Secrets")


def _misnamed(environment: str, secrets: list[str]) -> list[str]:
    wrong = []
    if not manifest.is_place(environment):
        wrong.append(
            f"environment {environment!r}: its name is not lower-case letters, digits and '-', "
            "a letter first, at most 63"
        )
    wrong += [
        f"environment {environment!r}: secret {secret!r}: its name is not upper-case letters, "
        "digits and '_', a letter first, at most 63"
        for secret in secrets
        if not manifest.is_secret(secret)
    ]
    return wrong


def _key_id(public_key: str) -> str:
    """The id of a public key (docs/format.md, §2); raises ValueError where it is none."""
    if not public_key.startswith(_PUBLIC):
        raise ValueError(f"does not start {_PUBLIC}")
    data = _decoded(public_key.removeprefix(_PUBLIC))
    if data is None or len(data) != 36:
        raise ValueError("is not 48 characters of base64url")
    if _blake2b(_PUBLIC.encode() + data[:32])[:4] != data[32:]:
        raise ValueError("has a typing error: its last four bytes do not fit")
    return base64.urlsafe_b64encode(_blake2b(data[:32])[:8]).rstrip(b"=").decode()


def _look(text: str, key_id: str | None) -> None:
    """Raise ValueError where no key can open the sealed value; its text is not in the message."""
    match = _SEALED.fullmatch(text)
    if match is None and not text.startswith("lug1."):
        raise ValueError(
            "sealed by a later version" if _LATER.match(text) else "not a sealed value"
        )
    if match is None:
        raise ValueError("not a sealed value: not lug1, a key id and base64url, joined by '.'")
    if len(text) > _MAX_TEXT:
        raise ValueError(f"longer than {_MAX_TEXT:,} characters")
    box = _decoded(match["box"])
    if box is None or _decoded(match["key"]) is None:
        raise ValueError("not canonical base64url: it was cut or changed")
    if len(box) < _OVERHEAD + _BUCKET or (len(box) - _OVERHEAD) % _BUCKET:
        raise ValueError(f"{len(box)} bytes, which no sealed box has: it was cut or changed")
    if key_id is not None and match["key"] != key_id:
        raise ValueError(f"sealed to key {match['key']}, but the environment's is {key_id}")


def _decoded(text: str) -> bytes | None:
    """The bytes of unpadded base64url, or None where it is not the one encoding of them."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=") == text.encode() else None


def _blake2b(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


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
