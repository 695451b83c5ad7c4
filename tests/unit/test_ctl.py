"""`ctl`: its words, its table, and what it imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luggage.commands import ctl
from luggage.commands.deployment import Deployment, enter
from luggage.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def deployment(tmp_path: Path) -> None:
    """A command runs in one."""
    enter(Deployment("deploy", tmp_path))


def process(name: str, **told: Any) -> dict[str, Any]:
    usual = {
        "kind": "loop",
        "state": "running",
        "pid": 12,
        "since": NOW - 5,
        "starts": 1,
        "crash_loop": False,
        "last_exit": None,
        "last_exit_at": None,
    }
    return {"name": name, **usual, **told}


def test_the_table_is_for_a_person() -> None:
    """Columns that stand below each other, times in their largest unit, and one line for all."""
    told = {
        "told": "ready; loop 'robot' crash-loops",
        "level": "info",
        "version": {"version": "abc"},
        "folder": "/run/luggage",
        "processes": [
            process("gunicorn", pid=7, since=NOW - 7300),
            process(
                "robot",
                state="waiting",
                pid=None,
                starts=9,
                crash_loop=True,
                last_exit="exited with status 1",
                last_exit_at=NOW - 5,
            ),
        ],
    }
    assert ctl.table(told, NOW).splitlines() == [
        "name      state                pid  since  starts  last exit",
        "gunicorn  running                7    2 h       1  -",
        "robot     waiting, crash loop    -    5 s       9  exited with status 1, 5 s ago",
        "",
        "ready; loop 'robot' crash-loops; version abc, log level info, /run/luggage",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (86400 * 400, "400 d")],
)
def test_a_span_of_time_has_one_unit(seconds: float, text: str) -> None:
    """Rounded down; a clock that was set back makes none below 0."""
    assert ctl.ago(seconds) == text


@pytest.mark.parametrize(
    "words",
    [
        *([], ["explode"], ["restart", "--json"], ["status", "loop"], ["status", "--stat", "x"]),
        *(
            ["restart"],
            ["stop"],
            ["start"],
            ["log-level", "explode"],
            ["log-level", "info", "debug"],
        ),
    ],
)
def test_words_that_are_wrong_are_refused(words: list[str]) -> None:
    """Before anything is asked, and without repeating them."""
    with pytest.raises(UsageError) as caught:
        ctl.main(["ctl", *words])
    assert "explode" not in caught.value.render()


def test_what_is_missing_is_named() -> None:
    """A command, or a process: and where to find one."""
    for words, told, hint in (
        ([], "ctl: no command is named", "one of status, restart, stop, start, reload, log-level"),
        (["restart"], "ctl restart: no process is named", "ctl status names them all"),
        *(
            (
                [command, "loop", ""],
                f"ctl {command}: a name is empty",
                "is a variable not set? ctl status names them all",
            )
            for command in ("restart", "stop", "start", "reload")
        ),
        (
            ["log-level", "loud"],
            "ctl log-level: there is no such level",
            "one of debug, info, warning, error, critical",
        ),
    ):
        with pytest.raises(UsageError) as caught:
            ctl.main(["ctl", *words])
        assert (caught.value.message, caught.value.hint) == (told, hint)


def test_it_imports_nothing_but_the_standard_library() -> None:
    """It is asked through `docker exec`, where every import is waited for."""
    program = """
import sys
import luggage.commands
before = set(sys.modules)
import luggage.commands.ctl
for name in sorted(set(sys.modules) - before):
    if name.partition(".")[0] not in {*sys.stdlib_module_names, "luggage"}:
        print(name)
print("ctl" in sys.modules["luggage.commands"].__dict__)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, cwd=ROOT, capture_output=True
    )
    assert done.stdout == b"True\n"


def test_its_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """One for each thing that an operator wants."""
    with pytest.raises(SystemExit):
        ctl.main(["ctl", "--help"])
    page = capsys.readouterr().out
    for words in ("ctl status", "ctl restart loop", "ctl reload", "ctl log-level debug", "exec"):
        assert words in page
