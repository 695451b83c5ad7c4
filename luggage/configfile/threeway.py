"""Three meanings of SECRETS → the one with both sides' changes, and what only people can settle.

A sealed value says nothing of what is in it, so two that differ cannot be merged, and one that was
sealed to a key that is replaced meanwhile cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from luggage.configfile.model import Meaning
from luggage.crypto import keys

Required = tuple[str, ...] | None
_T = TypeVar("_T")


@dataclass(frozen=True)
class Conflict:
    """What two sides disagree about, what to do, and the texts that only one side has."""

    subject: str
    why: str
    hint: str
    only_ours: tuple[str, ...] = ()
    only_theirs: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Its subject, and why it is none for a program."""
        return f"{self.subject}: {self.why}"


@dataclass
class Merged:
    """What the merged module must state, and what is left to people.

    `decided` has every name, in the environments that are there, whose value (None: it goes) is
    clear; a merge without conflicts is right where it states `meaning`.
    """

    meaning: Meaning
    decided: dict[str, dict[str, str | None]] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


def merge(base: Meaning, ours: Meaning, theirs: Meaning) -> Merged:
    """Merge entry by entry: an environment's key, each of its values, each required name."""
    merged = Merged(Meaning(_head(base, ours, theirs), {}, {}))
    for label, at in (("how SECRETS is called", 0), ("project", 1)):
        if _clash(*(it.head[at] for it in (base, ours, theirs))):
            hint = "keep one of the two"
            merged.conflicts.append(Conflict(label, "changed on both sides", hint))
    for name in _union(it.environments for it in (base, ours, theirs)):
        _environment(merged, name, base, ours, theirs)
    return merged


def _head(base: Meaning, ours: Meaning, theirs: Meaning) -> tuple[str, str, Required]:
    callee = _pick(base.head[0], ours.head[0], theirs.head[0])
    project = _pick(base.head[1], ours.head[1], theirs.head[1])
    return callee, project, _required(base.head[2], ours.head[2], theirs.head[2])


def _required(base: Required, ours: Required, theirs: Required) -> Required:
    """Both sides' additions and removals; sorted where it was, else the new names last."""
    if not _clash(base, ours, theirs):
        return _pick(base, ours, theirs)
    was = base or ()
    gone = {name for name in was if name not in (ours or ()) or name not in (theirs or ())}
    kept = [name for name in _union((was, ours or (), theirs or ())) if name not in gone]
    ordered = all(list(it) == sorted(it) for it in (was, ours or (), theirs or ()))
    return tuple(sorted(kept) if ordered else kept)


def _environment(merged: Merged, name: str, *sides: Meaning) -> None:
    base, ours, theirs = (side.environments.get(name) for side in sides)
    subject = f"environment '{name}'"
    if ours is None or theirs is None:
        _one_sided(merged, name, *sides)
        return
    if _clash(_key(base), _key(ours), _key(theirs)):
        made = "made" if base is None else "rotated"
        merged.conflicts.append(
            Conflict(
                subject,
                f"{made} on both sides, with two different keys: {_ids(ours, theirs)}",
                f"keep the environment of one side whole, with its key file; what only the other "
                f"has, seal again: python -m deploy encrypt NAME --env {name}",
                (ours[1],),
                (theirs[1],),
            )
        )
        return
    if _clash(base and base[0], ours[0], theirs[0]):
        hint = "keep one of the two"
        merged.conflicts.append(Conflict(subject, "its call changed on both sides", hint))
        return
    chosen = (_pick(base and base[0], ours[0], theirs[0]), *_pick(_key(base), ours[1:], theirs[1:]))
    merged.meaning.environments[name] = chosen
    _values(merged, name, *sides)


def _one_sided(merged: Merged, name: str, base: Meaning, ours: Meaning, theirs: Meaning) -> None:
    """An environment that only one side has: new there, or gone on the other."""
    mine = name in ours.environments
    has, side, other = (ours, "ours", "theirs") if mine else (theirs, "theirs", "ours")
    if name not in has.environments:
        return
    if name not in base.environments:
        merged.meaning.environments[name] = has.environments[name]
        merged.meaning.values[name] = dict(has.values[name])
        merged.decided[name] = dict(has.values[name])
    elif _state(has, name) != _state(base, name):
        new = (*(set(has.values[name].values()) - set(base.values[name].values())),)
        merged.conflicts.append(
            Conflict(
                f"environment '{name}'",
                f"removed in {other}, changed in {side}",
                "keep it as it was changed, or remove it",
                new if mine else (),
                () if mine else new,
            )
        )


def _values(merged: Merged, environment: str, *sides: Meaning) -> None:
    base, ours, theirs = (side.values.get(environment, {}) for side in sides)
    stale = _stale_side(environment, *sides)
    values = merged.meaning.values.setdefault(environment, {})
    decided = merged.decided.setdefault(environment, {})
    for name in _union((base, ours, theirs)):
        was, mine, other = sealed = (base.get(name), ours.get(name), theirs.get(name))
        problem = _problem(environment, name, sealed, stale)
        if problem is not None:
            merged.conflicts.append(problem)
            continue
        value = _pick(was, mine, other) if stale is None else {"ours": other, "theirs": mine}[stale]
        decided[name] = value
        if value is not None:
            values[name] = value


def _stale_side(environment: str, *sides: Meaning) -> str | None:
    """The side whose values are for a key that the other side replaced."""
    base, ours, theirs = (_key(side.environments.get(environment)) for side in sides)
    if ours == theirs:
        return None
    return "ours" if ours == base else "theirs"


def _problem(
    environment: str,
    name: str,
    sealed: tuple[str | None, str | None, str | None],
    stale: str | None,
) -> Conflict | None:
    was, ours, theirs = sealed
    subject = f"secret '{name}' of environment '{environment}'"
    again = f"python -m deploy encrypt {name} --env {environment}"
    texts = ((ours,) if ours else (), (theirs,) if theirs else ())
    if stale is not None:
        old, new = (ours, theirs) if stale == "ours" else (theirs, ours)
        rotated = "theirs" if stale == "ours" else "ours"
        if old == was or (old is None and new is None):
            return None
        if old is None:
            return Conflict(
                subject,
                f"removed in {stale}, but {rotated} has a new key, and it is sealed to that",
                f"keep what {rotated} has, then: python -m deploy remove {name} --env "
                f"{environment}",
                *texts,
            )
        return Conflict(
            subject,
            f"in {stale} it is sealed to the old key; {rotated} has a new one",
            f"keep what {rotated} has, then seal it again for the new key: {again}",
            *texts,
        )
    if not _clash(was, ours, theirs):
        return None
    if ours and theirs:
        why = "changed on both sides" if was else "added on both sides"
        return Conflict(subject, why, f"keep one of the two, or seal it again: {again}", *texts)
    changed, removed = ("ours", "theirs") if ours else ("theirs", "ours")
    return Conflict(
        subject,
        f"changed in {changed}, removed in {removed}",
        f"keep the line of '{name}' as it was changed, or remove it",
        *texts,
    )


def _state(side: Meaning, name: str) -> tuple[tuple[str, str, int], dict[str, str]]:
    return side.environments[name], side.values[name]


def _key(environment: tuple[str, str, int] | None) -> tuple[str, int] | None:
    return None if environment is None else environment[1:]


def _ids(*environments: tuple[str, str, int]) -> str:
    return " and ".join(
        f"{keys.parse_public(key).id} (epoch {epoch})" for _, key, epoch in environments
    )


def _union(parts: Iterable[Iterable[str]]) -> Iterator[str]:
    return iter(dict.fromkeys(name for part in parts for name in part))


def _clash(base: _T, ours: _T, theirs: _T) -> bool:
    return ours not in (base, theirs) and theirs != base


def _pick(base: object, ours: _T, theirs: _T) -> _T:
    """The side that changed; ours where both did, which only a conflict makes."""
    return theirs if ours == base else ours
