"""Process table + settings + environment → what is to run, and where, or all that is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from luggage.errors import LuggageError, all_wrong, together
from luggage.run import settings
from luggage.run.table import places
from luggage.run.table.entries import Entry
from luggage.run.table.processes import Process, expand


@dataclass(frozen=True)
class Plan:
    """What is to run under `server`, and where what serves of it listens."""

    server: settings.Server
    processes: Sequence[Process]
    places: places.Places


def plan(
    entries: Sequence[Entry],
    classes: Sequence[type[Any]],
    environ: Mapping[str, str],
    commands: Collection[str],
) -> Plan:
    """The plan for `entries`, where `classes` are the deployment's settings and `commands` the
    names of its commands.

    Raises LuggageError with everything that is wrong with the settings and the table; or, where
    these are right, with the ports.
    """
    found = settings.problems([settings.Server, *classes], environ)
    wrong = [LuggageError(all_wrong(found), settings.HINT)] if found else []
    processes: Sequence[Process] = ()
    try:
        processes = expand(entries, environ, commands)
    except LuggageError as error:
        wrong.append(error)
    if wrong:
        raise together(wrong)
    server = settings.read(settings.Server, environ)
    return Plan(server, processes, places.places(processes, server, classes, environ))
