"""Process table + settings + environment → what is to run, and where, or all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from luggage.errors import LuggageError, all_wrong, together
from luggage.run import places, settings, table
from luggage.run.entries import Entry

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What is to run under `server`, and where what serves of it listens."""

    server: settings.Server
    processes: Sequence[table.Process]
    places: places.Places


def plan(
    entries: Sequence[Entry],
    classes: Sequence[type[Any]],
    environ: Mapping[str, str],
    commands: Collection[str],
) -> Plan:
    """The plan for `entries`, where `classes` are the deployment's settings and `commands` the
    names of its commands.

    Raises LuggageError with everything that is wrong, as far as words alone can tell.
    """
    wrong: list[LuggageError] = []

    def heard(call: Callable[[], T]) -> T | None:
        try:
            return call()
        except LuggageError as error:
            wrong.append(error)
            return None

    found = settings.problems([settings.Server, *classes], environ)
    if found:
        wrong.append(LuggageError(all_wrong(found), settings.HINT))
    processes = heard(lambda: table.expand(entries, environ, commands))
    if wrong or processes is None:
        raise together(wrong)
    server = settings.read(settings.Server, environ)
    return Plan(server, processes, places.places(processes, server, classes, environ))
