"""Look at what runs, and restart, reload, stop or start parts of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from luggage.board import LEVELS
from luggage.commands.arguments import Words
from luggage.commands.deployment import current
from luggage.errors import UsageError
from luggage.run.operate import caller

MAIN_OK = True

EXAMPLES = """\
examples:
  python -m {package} ctl status
  python -m {package} ctl restart loop
  python -m {package} ctl reload
  python -m {package} ctl log-level debug
  docker exec CONTAINER /app/bin/python -I -m luggage ctl status --json

  status          what every process does
  restart NAME…   stop it and start it again
  stop NAME…      stop it until `start`; the others go on. Where the web server is stopped, its port
                  answers 503, and where a loop is, readiness does not depend on it
  start NAME…     start what was stopped, or waits after a crash
  reload          start the web server anew beside the old one, which goes when the new one serves:
                  no request is lost, and where the new one cannot serve the old one stays
  log-level       how much is logged; with a LEVEL, log as much from now on

It finds what runs as `start` chose its state folder: by LUGGAGE_RUN, else /run/luggage, else in
/dev/shm.

exit status: 0 where it is done; restart and start look on for a second. 1 where nothing runs here,
no process is called so, the supervisor refuses, or what was wanted did not come about, such as that
a process stays alive. 2 where the words are wrong, whatever runs: no such command, option or level;
a name where none is wanted, or none where one is.
"""

COMMANDS = ("status", "restart", "stop", "start", "reload", "log-level")
NAMED = ("restart", "stop", "start")
COLUMNS = ("name", "state", "pid", "since", "starts", "last exit")


def main(argv: list[str]) -> int:
    """Ask the supervisor, print what it tells, and return the exit status."""
    parser = Words("ctl", __doc__, EXAMPLES, current())
    parser.add_argument("what", metavar="COMMAND", nargs="?", help=", ".join(COMMANDS))
    parser.add_argument("names", metavar="NAME", nargs="*", help="processes; or a log level")
    parser.add_argument("--json", action="store_true", help="with status: JSON instead of a table")
    parser.add_argument("--state", metavar="FOLDER", help="the state folder of what is asked")
    options = parser.read(argv[1:])
    _check(options.what, options.names, options.json)
    _, connection = caller.find(os.environ, options.state)
    result = caller.ask(
        connection, options.what, options.names, lambda text: print(text, flush=True)
    )
    if options.what == "status":
        print(json.dumps(result, indent=2) if options.json else table(result, time.time()))
    elif options.what == "log-level":
        print(result)
    return 0


def _check(what: str | None, names: Sequence[str], as_json: bool) -> None:
    """Refuse words that ask for nothing that there is."""
    if what is None:
        raise UsageError("ctl: no command is named", f"one of {', '.join(COMMANDS)}")
    if what not in COMMANDS:
        raise UsageError("ctl: there is no such command", f"one of {', '.join(COMMANDS)}")
    if as_json and what != "status":
        raise UsageError("--json: only with status", "leave it out")
    if names and what == "status":
        raise UsageError("ctl status: takes no names", "it tells of all")
    if not all(names) and what != "log-level":
        raise UsageError(
            f"ctl {what}: a name is empty", "is a variable not set? ctl status names them all"
        )
    if not names and what in NAMED:
        raise UsageError(f"ctl {what}: no process is named", "ctl status names them all")
    if what == "log-level" and len(names) > 1:
        raise UsageError("ctl log-level: more than one was given", "give one of them")
    if what == "log-level" and not set(names) <= set(LEVELS):
        raise UsageError("ctl log-level: there is no such level", f"one of {', '.join(LEVELS)}")


def table(told: Mapping[str, Any], now: float) -> str:
    """What `status` answers, for a person to read at the time `now`."""
    rows = [COLUMNS, *(_row(process, now) for process in told["processes"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [_line(row, widths) for row in rows]
    version = told["version"].get("version", "unknown")
    return "\n".join(
        [
            *lines,
            "",
            f"{told['told']}; version {version}, log level {told['level']}, {told['folder']}",
        ]
    )


def _row(process: Mapping[str, Any], now: float) -> tuple[str, ...]:
    state = process["state"] + (", crash loop" if process["crash_loop"] else "")
    last = process["last_exit"] or "-"
    if process["last_exit"] and process["last_exit_at"]:
        last += f", {ago(now - process['last_exit_at'])} ago"
    return (
        process["name"],
        state,
        str(process["pid"] or "-"),
        ago(now - process["since"]),
        str(process["starts"]),
        last,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    right = (2, 3, 4)
    return "  ".join(
        cell.rjust(width) if number in right else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ).rstrip()


def ago(seconds: float) -> str:
    """A span of time in its largest unit, rounded down."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(0, int(seconds))} s"
