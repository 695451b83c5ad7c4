"""What a process logs: one line for each record, with the request's id, at the board's level."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from luggage import board

ROOT = Path(__file__).resolve().parents[2]
BEGIN = """
import logging, os, sys, threading, time, warnings
from luggage.run import logs
from luggage.web.request_id import CURRENT
logs.configure(os.environ)
log = logging.getLogger("app")
"""


def ran(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """What a process prints that logs."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


REQUEST = """
log.info("before")
token = CURRENT.set("abc-1")
log.info("within %s", "it")
thread = threading.Thread(target=log.warning, args=("beside",))
thread.start()
thread.join()
CURRENT.reset(token)
log.debug("not told")
log.error("after")
"""


def test_for_people() -> None:
    """Level and message, with the id of the request where one is answered; all on stdout."""
    done = ran(REQUEST)
    assert done.stdout.splitlines() == [
        "INFO before",
        "INFO [abc-1] within it",
        "WARNING beside",
        "ERROR after",
    ]
    assert done.stderr == ""


def test_as_json() -> None:
    """One object each: time, pid, level, logger, request id, message."""
    told = objects(ran(REQUEST, LOG_FORMAT="json").stdout)
    assert [one["message"] for one in told] == ["before", "within it", "beside", "after"]
    assert [one.get("request_id") for one in told] == [None, "abc-1", None, None]
    assert [one["level"] for one in told] == ["info", "info", "warning", "error"]
    assert {one["logger"] for one in told} == {"app"}
    assert len({one["pid"] for one in told}) == 1
    assert all(one["time"].endswith("Z") and len(one["time"]) == 24 for one in told)


def test_whatever_is_logged_is_one_line() -> None:
    """Line ends, halves of characters, extra values of any kind, arguments that do not fit."""
    script = """
class Broken:
    def __str__(self): raise ValueError("no")
    __repr__ = __str__
log.info("two\\nlines")
log.info("half \\udcff", extra={"status": 200, "level": "mine", "path": os, "nan": float("nan")})
log.info("%d", "x")
log.info("%s", Broken())
log.info({"a": 1})
log.info("kept", extra={"broken": Broken()})
"""
    done = ran(script, LOG_FORMAT="json")
    told = objects(done.stdout)
    assert [one["message"] for one in told[:2]] == ["two\nlines", "half \udcff"]
    assert told[1]["level"] == "info", "nothing is overwritten"
    assert len(told) == 6, done.stderr
    assert told[5]["message"] == "kept"
    assert told[5]["broken"] == "<Broken that cannot be shown: ValueError>"
    assert told[1]["nan"] == "nan"
    assert done.stderr == ""
    assert len(ran(script).stdout.splitlines()) == 7, "for people, two lines are two"


def test_extra_values_are_members() -> None:
    """What JSON has no form for is told as text."""
    [told] = objects(
        ran('log.info("x", extra={"status": 200, "where": sys})', LOG_FORMAT="json").stdout
    )
    assert told["status"] == 200
    assert told["where"].startswith("<module 'sys'")


def test_tracebacks_and_warnings_are_one_record_each() -> None:
    """In JSON, whatever Python itself would print on stderr; the exit status stays."""
    script = """
try:
    1 / 0
except ZeroDivisionError:
    log.exception("caught")
warnings.warn("old", DeprecationWarning)
def fail(): raise ValueError("in a thread")
thread = threading.Thread(target=fail, name="mine")
thread.start()
thread.join()
class Late:
    def __del__(self): raise ValueError("too late")
Late()
raise RuntimeError("at last")
"""
    done = ran(script, LOG_FORMAT="json", PYTHONWARNINGS="always")
    told = objects(done.stdout)
    assert done.stderr == ""
    assert done.returncode == 1
    caught, warned, thread, late, last = told
    assert caught["message"] == "caught"
    assert caught["traceback"].endswith("ZeroDivisionError: division by zero")
    assert "DeprecationWarning: old" in warned["message"]
    assert (warned["level"], warned["logger"]) == ("warning", "py.warnings")
    assert thread["message"] == "uncaught in thread mine: ValueError"
    assert late["traceback"].endswith("ValueError: too late")
    assert (last["level"], last["message"]) == ("critical", "uncaught: RuntimeError")
    assert last["traceback"].startswith("Traceback (most recent call last):\n")
    human = ran(script, PYTHONWARNINGS="always")
    assert human.stderr.splitlines()[-1] == "RuntimeError: at last", "as Python does"
    assert "  ZeroDivisionError: division by zero" in human.stdout.splitlines()


def test_no_reader() -> None:
    """A log that nobody reads any more stops nothing."""
    script = """
reader, writer = os.pipe()
os.dup2(writer, 1)
os.close(reader)
os.close(writer)
for _ in range(100):
    log.info("x" * 100_000)
sys.exit(7)
"""
    assert ran(script).returncode == 7


def test_a_reader_that_is_slow() -> None:
    """Whatever the pipe's mode, no part of a line is lost."""
    script = """
os.set_blocking(1, False)
for number in range(20):
    log.info("%02d%s", number, "x" * 50_000)
"""
    with subprocess.Popen(
        [sys.executable, "-c", BEGIN + script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as process:
        time.sleep(0.5)
        told, _ = process.communicate(timeout=60)
    assert told.decode().splitlines() == [f"INFO {number:02}{'x' * 50_000}" for number in range(20)]


FOLLOWING = """
log.critical("there")
while True:
    log.debug("fine")
    log.error("coarse")
    time.sleep(0.01)
"""


def test_the_level_is_the_boards() -> None:
    """It counts more than LOG_LEVEL, and is followed within a second, both ways."""
    with (
        board.create("error") as seen,
        subprocess.Popen(
            [sys.executable, "-c", BEGIN + FOLLOWING],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "LOG_LEVEL": "debug",
                board.VARIABLE: str(seen.fileno()),
            },
            stdout=subprocess.PIPE,
            pass_fds=[seen.fileno()],
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in range(20)]
            assert first == ["CRITICAL there\n"] + ["ERROR coarse\n"] * 19
            seen.level = "debug"
            while process.stdout.readline() != "DEBUG fine\n":
                pass
            seen.level = "critical"
            quiet, end = 0, time.monotonic() + 30
            while quiet < 10 and time.monotonic() < end:
                quiet += 1
                time.sleep(0.1)
                while select.select([process.stdout], [], [], 0)[0]:
                    os.read(process.stdout.fileno(), 65_536)
                    quiet = 0
            assert quiet == 10
        finally:
            process.kill()


def test_the_level_of_a_process_that_forks() -> None:
    """gunicorn's master has no thread: it takes the level when it logs; its child has one."""
    script = """
logs.configure(os.environ, shared=True)
assert threading.active_count() == 1
from luggage import board
log.info("not told")
page.level = "info"
log.error("told, and from then on")
log.info("so is this")
pid = os.fork()
if pid == 0:
    logs.follow()
    logs.follow()
    log.info("%d threads", threading.active_count())
    os._exit(0)
os.waitpid(pid, 0)
"""
    before = """
import os
from luggage import board
page = board.create("error")
os.environ[board.VARIABLE] = str(page.fileno())
"""
    done = subprocess.run(
        [sys.executable, "-c", before + BEGIN.replace("logs.configure(os.environ)", "") + script],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    told = [line.split("] ")[-1] for line in done.stdout.splitlines()]
    assert told == ["told, and from then on", "so is this", "2 threads"]
    assert done.stderr == ""


def test_what_was_configured_before_is_replaced() -> None:
    """No record is told twice, however often it is configured, nor where the app did it first."""
    script = """
logging.basicConfig(force=True)
logs.configure(os.environ)
logs.configure(os.environ)
log.info("once")
logging.getLogger("gunicorn.error").info("once more")
"""
    done = ran(script)
    assert done.stdout == "INFO once\nINFO once more\n"
    assert done.stderr == ""


def test_an_app_that_configures_logging_itself() -> None:
    """Its records go where it wants them to; gunicorn's lines stay, and are told once."""
    script = """
import datetime, logging.config, types
from gunicorn.config import Config
from luggage.web.access import AccessLogger
logs.configure(os.environ, shared=True)
config = Config()
config.set("accesslog", "-")
logger = AccessLogger(config)
own = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
logging.config.dictConfig(
    {"version": 1, "handlers": {"own": own}, "root": {"level": "ERROR", "handlers": ["own"]}}
)
log = logging.getLogger("another")
log.info("left out")
log.error("the app's")
answer = types.SimpleNamespace(status="200 OK", status_code=200, sent=5)
logger.access(answer, None, {"RAW_URI": "/a"}, datetime.timedelta(seconds=1))
logger.access(answer, None, {"RAW_URI": "/-/ready", "PATH_INFO": "/-/ready"}, datetime.timedelta())
logger.error("gunicorn's")
"""
    done = ran(script)
    assert done.stderr == "the app's\n"
    access, error = done.stdout.splitlines()
    assert '"- /a -" 200 5 "-" "-" 1.000 -' in access
    assert error.endswith("[ERROR] gunicorn's")
