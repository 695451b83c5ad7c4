"""A process table as it is written: what a deployment runs, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from luggage.run.table.cron import Rhythm

GRACE = 30.0  # seconds that a life has for its first beat: to import, to wait for others


@dataclass(frozen=True)
class Check:
    """The command `command`, run at each start before anything else: its exit status is not 0 where
    this environment is not fit to run in. All checks are run, and all are told.

    `unless` and `key` are as in `Loop`.
    """

    command: str
    unless: str | None = None
    key: bool = True


@dataclass(frozen=True)
class Release:
    """The command `command`, run at each start, after the checks and before anything that stays.

    Where it fails, nothing is started. `unless` and `key` are as in `Loop`.
    """

    command: str
    unless: str | None = None
    key: bool = True


@dataclass(frozen=True)
class Cron:
    """The command `command`, run `every` so often: "30s", "15m", "1h", "1d", counted from midnight
    in UTC, and never while its last run still runs.

    That is a part of a day without a rest, or whole days, which are counted from 1970-01-01. These
    may be due `at` a time of day in UTC, such as "03:30". `unless` and `key` are as in `Loop`.
    """

    command: str
    every: str
    at: str | None = None
    unless: str | None = None
    key: bool = True

    def rhythm(self) -> Rhythm:
        """When it is due; raises ValueError that says what `every` or `at` is not."""
        from luggage.run.table import cron  # noqa: PLC0415 - for a table that has one

        return cron.parse(self.every, self.at)


@dataclass(frozen=True)
class Web:
    """The web server: `app` is a WSGI callable as `package.module:name`.

    A request has `deadline` seconds, REQUEST_DEADLINE where that is None; one whose path begins
    with one of `deadlines` has as many as stand there.
    """

    app: str
    deadline: float | None = None
    deadlines: Mapping[str, float] = field(default_factory=dict)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Those of the command."""
        usual = [] if self.deadline is None else [f"{self.deadline:g}"]
        words = [*usual, *(f"{path}={seconds:g}" for path, seconds in self.deadlines.items())]
        return (self.app, *(it for word in words for it in ("--deadline", word)))

    @property
    def command(self) -> str:
        """The command that serves it."""
        return "gunicorn"


@dataclass(frozen=True)
class Loop:
    """The command `command`, run for ever, `copies` times at once.

    While one that is `needed` crash-loops, the deployment is not ready. It is not started where the
    variable `unless` is set to something, and gets no key where `key` is False. `port` is the
    variable with the port that it serves on 127.0.0.1: the supervisor opens that before anything is
    started, so that nobody else can answer there, now or later.

    One with `beat` tells by `luggage.run.beat` that it goes on: where it has not for `beat` seconds
    it is killed and started again, after it has printed what all its threads do. Each life has
    `grace` seconds for its first beat; by default GRACE, or `beat` where that is more.
    """

    command: str
    copies: int = 1
    unless: str | None = None
    key: bool = True
    port: str | None = None
    needed: bool = False
    beat: float | None = None
    grace: float | None = None


Entry = Check | Release | Web | Loop | Cron
