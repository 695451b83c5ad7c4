"""What packages ask for → which of them need which: only what is there, and applies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

Needs = Mapping[str, frozenset[str]]

_DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def wheels(asked: Mapping[str, Iterable[str]], markers: Mapping[str, str]) -> Needs:
    """The wheels that each wheel needs, by canonical name. `asked` has the lines of Requires-Dist.

    An extra counts where a wheel asks for it. Those that requirements.in asks for are not known
    here. A line that is no requirement is nobody's need: pip refuses it too.
    """
    lines = {name: _requirements(asked[name]) for name in sorted(asked)}
    needs: dict[str, set[str]] = {name: set() for name in lines}
    extras: dict[str, set[str]] = {name: set() for name in lines}
    changed = True
    while changed:
        changed = False
        for name, requirements in lines.items():
            for requirement in requirements:
                target = canonicalize_name(requirement.name)
                if target not in lines or not _applies(requirement, extras[name], markers):
                    continue
                wanted = {canonicalize_name(extra) for extra in requirement.extras}
                if (target != name and target not in needs[name]) or not wanted <= extras[target]:
                    changed = True
                extras[target] |= wanted
                # A project may name itself, to put several extras into one.
                needs[name] |= {target} - {name}
    return {name: frozenset(found) for name, found in needs.items()}


def debian(stanzas: Iterable[Mapping[str, str]]) -> Needs:
    """The packages that each of Debian's packages needs, of alternatives all that are there."""
    found = {stanza["Package"]: stanza for stanza in stanzas}
    needs = {}
    for name, stanza in found.items():
        asked = f"{stanza.get('Pre-Depends', '')},{stanza.get('Depends', '')}"
        names = (_DEBIAN_NAME.match(it.strip()) for it in re.split(r"[,|]", asked))
        needs[name] = frozenset({it[0] for it in names if it} & set(found) - {name})
    return needs


def unneeded(needs: Needs) -> frozenset[str]:
    """The fewest from which all others are reached: those nobody needs, and one of each ring."""
    top = set(needs).difference(*needs.values())
    for name in sorted(needs):
        if name not in _reached(top, needs):
            top.add(name)
    return frozenset(top)


def _reached(top: Iterable[str], needs: Needs) -> set[str]:
    reached: set[str] = set()
    rest = list(top)
    while rest:
        name = rest.pop()
        if name not in reached:
            reached.add(name)
            rest.extend(needs[name])
    return reached


def _requirements(lines: Iterable[str]) -> list[Requirement]:
    found = []
    for line in lines:
        try:
            found.append(Requirement(line))
        except InvalidRequirement:
            continue
    return found


def _applies(requirement: Requirement, extras: set[str], markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    try:
        return any(
            requirement.marker.evaluate({**markers, "extra": extra})
            for extra in ("", *sorted(extras))
        )
    except (UndefinedComparison, UndefinedEnvironmentName):
        return True
