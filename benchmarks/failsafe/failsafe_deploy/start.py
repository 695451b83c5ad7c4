"""Run the web server, supervised; with the argument `loop`, a loop as well."""

from __future__ import annotations

from luggage import run
from luggage.commands import start

MAIN_OK = True

WEB = run.Web("failsafe_deploy.wsgi:app")


def main(argv: list[str]) -> int:
    """Run them until told to stop."""
    loops = [run.Loop("loop")] if argv[1:] == ["loop"] else []
    return start.main(argv[:1], [WEB, *loops])
