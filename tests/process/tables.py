"""A process table and commands of a test's own, put into a deployment that was made for it."""

from __future__ import annotations

from running import PACKAGE, Made

_START = """\
\"\"\"Run everything.\"\"\"

from {package} import config
from luggage import run
from luggage.commands import start

MAIN_OK = True

PROCESSES = ({table},)


def main(argv):
    return start.main(argv, PROCESSES, config.SECRETS)
"""
_COMMAND = """\
\"\"\"What a test needs.\"\"\"

import ctypes, os, signal, subprocess, sys, threading, time
from pathlib import Path

from luggage import run

MAIN_OK = True


def main(argv):
    run.claim(os.environ)
{body}
"""


def table(made: Made, *entries: str, **commands: str) -> Made:
    """`made` with `entries` as its process table, such as `run.Loop("loop")`, and `commands`, which
    are the bodies of functions; each takes the key from its environment first."""
    folder = made.folder / PACKAGE
    text = _START.format(package=PACKAGE, table=", ".join(entries))
    (folder / "start.py").write_text(text)
    for name, body in commands.items():
        lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
        (folder / f"{name}.py").write_text(_COMMAND.format(body=lines))
    return made
