"""The keys that values are sealed to, and those of the environments → what to say of others.

Whoever replaces a public key wants values sealed to theirs: no hint here leads there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from contextlib import suppress

from luggage.crypto import envelope, keys
from luggage.crypto.errors import RefusalError, SecretError

RESTORE = (
    "restore the public key from git, unless it was rotated by hand: python -m deploy rotate "
    "re-seals;\nwhoever put the key there can read what is sealed to it"
)


def replaced(texts: Iterable[object], key_id: str, used: set[str]) -> str | None:
    """What to say where all values of an environment are sealed to one other key than its own.

    Then it is the key that was changed, not the values. Where another environment has that key it
    is a value that was copied.
    """
    found = set()
    for text in texts:
        try:
            found.add(envelope.recipient(text) if isinstance(text, str) else "")
        except RefusalError:
            found.add("")
    if len(found) != 1 or "" in found or found & used:
        return None
    return (
        f"its public key was replaced: its values are sealed to key {found.pop()}, "
        f"but it has key {key_id}"
    )


def again(name: str, environment: str, text: str, used: set[str]) -> str:
    """What to do with a value that is wrong; `used` are the key ids of all environments.

    Where it is sealed to a key that none has, the environment's may have been replaced: then
    whoever seals the value anew seals it to that.
    """
    try:
        is_strange = envelope.recipient(text) not in used
    except RefusalError:
        is_strange = False
    if is_strange:
        return (
            "restore it from git, or the environment's public key, where it is that which changed: "
            "ask\nwhoever keeps the key before you seal anything to it"
        )
    return f"remove the line, then: python -m deploy encrypt {name} --env {environment}"


def key_ids(nodes: Iterable[ast.expr]) -> set[str]:
    """The ids of the keys of some environments, without a word about what is wrong with them."""
    found = set()
    for node in nodes:
        for word in node.keywords if isinstance(node, ast.Call) else ():
            value = word.value.value if isinstance(word.value, ast.Constant) else None
            if word.arg == "public_key" and isinstance(value, str):
                with suppress(SecretError):
                    found.add(keys.parse_public(value).id)
    return found
