"""Past states of a config module, and who touched its lines → what changed that must not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from luggage.configfile.module import NAME, ConfigError, parse
from luggage.configfile.pins import Pin
from luggage.crypto import keys, names
from luggage.crypto.errors import SecretError

_SEALED = re.compile(rb"""(["'])[A-Z][A-Z0-9_]*\1\s*:\s*(["'])lug1\.[A-Za-z0-9_.-]*\2[ \t]*,?""")
_HEADER = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) \d+ (\d+)")
_SHORT = 10


@dataclass(frozen=True)
class Past:
    """The project and its environments' keys as a commit, which `name` names, had them."""

    name: str
    heads: Mapping[str, Pin]
    project: str = ""


@dataclass(frozen=True)
class Commit:
    """The last commit that touched a line; `date` is the author's, ISO 8601 with its zone."""

    hash: str
    date: str
    author: str


def past(source: bytes, name: str = "") -> Past | None:
    """What a module says of its keys, or None where it is no Python; `name` is that of its commit.

    It reads less strictly than the grammar, and faster: a past state need only be comparable. But
    nothing beside the value of the top-level assignment counts: whoever can write the module could
    hide its keys behind others there.
    """
    try:
        tree = parse(_SEALED.sub(b"", source))
    except ConfigError:
        return None
    words: dict[str | None, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(it, ast.Name) and it.id == NAME for it in targets):
                words = {word.arg: word.value for word in node.value.keywords}
    project, table = words.get("project"), words.get("environments")
    found: dict[str, Pin] = {}
    for key, value in (
        zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else ()
    ):
        if isinstance(key, ast.Constant) and isinstance(value, ast.Call):
            pin = _head(value)
            if pin is not None and names.is_place(key.value):
                found[str(key.value)] = pin
    known = isinstance(project, ast.Constant) and names.is_place(project.value)
    return Past(name, found, str(project.value) if known else "")  # type: ignore[union-attr]


def _head(call: ast.Call) -> Pin | None:
    words = {
        word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)
    }
    public_key, epoch = words.get("public_key"), words.get("epoch")
    if not isinstance(public_key, str) or not isinstance(epoch, int) or not names.is_count(epoch):
        return None
    try:
        keys.parse_public(public_key)
    except SecretError:
        return None
    return Pin(public_key, epoch)


def broken(now: Mapping[str, Pin], past: Iterable[Past]) -> Iterator[tuple[str, str]]:
    """Each environment whose key does not follow from a past state, and why.

    One problem for each environment: with the first of `past` that shows it, so the newest belongs
    first.
    """
    states = list(past)
    for name, pin in now.items():
        found = (
            _why(pin, state.heads[name], state.name) for state in states if name in state.heads
        )
        why = next((why for why in found if why), None)
        if why:
            yield name, why


def renamed(project: str, now: Mapping[str, Pin], past: Iterable[Past]) -> Past | None:
    """The first of `past` that has another project, where it is more than another name.

    A project that went on under another name has nothing to compare a key with: no pin, no value.
    It may do so with keys of a later epoch alone, as after a rotation.
    """
    for state in past:
        same = [(now[name], was) for name, was in state.heads.items() if name in now]
        if state.project not in ("", project) and not all(
            pin.epoch > was.epoch and pin.public_key != was.public_key for pin, was in same
        ):
            return state
    return None


def _why(now: Pin, was: Pin, state: str) -> str | None:
    if now.epoch < was.epoch:
        return f"its epoch went back: {was.epoch} in {state}, now {now.epoch}"
    if now.epoch == was.epoch and now.public_key != was.public_key:
        return (
            f"its public key changed without a new epoch: key {was.key_id} in {state}, now "
            f"key {now.key_id}, both epoch {now.epoch}"
        )
    if now.epoch > was.epoch and now.public_key == was.public_key:
        return (
            f"its epoch went on without a new key: epoch {was.epoch} in {state}, now {now.epoch}, "
            f"both key {now.key_id}"
        )
    return None


def blamed(porcelain: bytes) -> dict[int, Commit | None]:
    """The output of `git blame --porcelain` → the commit of each line, counted from 1.

    None for a line that is not committed yet.
    """
    commits: dict[bytes, dict[bytes, bytes]] = {}
    lines: dict[int, bytes] = {}
    current: dict[bytes, bytes] = {}
    for line in porcelain.split(b"\n"):
        header = None if line.startswith(b"\t") else _HEADER.match(line)
        if header is not None:
            current = commits.setdefault(header[1], {})
            lines[int(header[2])] = header[1]
        elif not line.startswith(b"\t"):
            word, _, rest = line.partition(b" ")
            current[word] = rest
    known = {name: _commit(name, words) for name, words in commits.items()}
    return {number: known[name] for number, name in lines.items()}


def _commit(name: bytes, words: Mapping[bytes, bytes]) -> Commit | None:
    if not name.strip(b"0"):
        return None
    moment = moment_of(int(words.get(b"author-time", b"0")), words.get(b"author-tz", b"+0000"))
    return Commit(name.decode()[:_SHORT], moment, printable(words.get(b"author", b"")))


def moment_of(seconds: int, zone: bytes) -> str:
    """Seconds of the epoch and a zone of git's, such as +0130 → ISO 8601."""
    sign = -1 if zone.startswith(b"-") else 1
    digits = zone.lstrip(b"+-").rjust(4, b"0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    try:
        return datetime.fromtimestamp(seconds, timezone(sign * offset)).isoformat()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC).isoformat()


def printable(text: bytes) -> str:
    """A text of someone else's, safe for a terminal: what cannot be printed is a '?'."""
    return "".join(c if c.isprintable() else "?" for c in text.decode("utf-8", "replace"))
