"""`check-env` and `run`: an environment that is looked at, and commands that end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import CANARY, PACKAGE, Made, started
from tables import table

LOOP = 'run.Loop("spare")'
SLOW = """
import time
from luggage import run
from luggage.commands import start

MAIN_OK = True


class Secrets:
    def open(self):
        print("opening", flush=True)
        time.sleep(60)


def main(argv):
    return start.main(argv, [run.Loop("spare")], Secrets())
"""
PORTS = """
import environ
from {package} import config
from luggage import run
from luggage.commands import start
from luggage.run import settings

MAIN_OK = True


@environ.config(prefix="", frozen=True)
class App:
    spare_port = environ.var(default=8112, converter=settings.whole(1, 65535))


def main(argv):
    table = [run.Web("deploy_under_test.app:app"), run.Loop("spare", port="SPARE_PORT")]
    return start.main(argv, table, config.SECRETS, settings=[App])
"""


def command(
    made: Made, *words: str, key: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    environ = made.environ(**({"SECRET_KEY": made.key} if key else {}), **variables)
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", PACKAGE, *words],
        check=False,
        cwd=made.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        input="given on stdin\n",
    )


def test_an_environment_that_is_fit(made: Made) -> None:
    """One line on stdout; the checks are run, and nothing else; what they say is on stderr."""
    table(
        made,
        'run.Check("fine")',
        'run.Release("migrate")',
        LOOP,
        fine='print("the database answers", "LUGGAGE_KEY_FD" in os.environ)',
        migrate='Path("migrated").touch()',
    )
    done = command(made, "check-env", TMPDIR=str(made.folder))
    assert (done.returncode, done.stdout) == (0, "fit to run in: environment test\n")
    assert done.stderr == "fine    | the database answers True\n"
    assert not (made.folder / "migrated").exists()
    assert list(made.folder.glob("luggage-tmp-*")) == []
    assert not (made.folder / "run").exists(), "a supervisor that runs is not disturbed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_environment_that_was_not_looked_at_is_not_fit(
    made: Made, number: signal.Signals
) -> None:
    """Told to stop before it knows, it ends with the signal's status: `check-env && deploy`."""
    (made.folder / PACKAGE / "start.py").write_text(SLOW)
    with started(made, "check-env") as running:
        running.wait_for("opening")
        running.signal(number)
        assert running.wait() == 128 + number
        assert "fit to run in" not in running.text


def test_all_that_is_wrong_is_told_at_once(made: Made) -> None:
    """Settings, table and key; the checks need all of these, and are named as not run."""
    table(made, 'run.Check("fine")', 'run.Loop("nobody")', LOOP, fine="print('run')")
    done = command(made, "check-env", key=False, PORT="99999", WEB_CONCURRENCY="no")
    assert done.returncode == 1
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 4, done.stderr
    for number, subject in enumerate(("variable", "variable", "process 'nobody'", "SECRET_KEY")):
        assert subject in errors[number]
    assert "Traceback" not in done.stderr
    table(made, 'run.Check("fine")', LOOP)
    done = command(made, "check-env", key=False)
    assert "not run yet: fine" in done.stderr
    assert "error: " in done.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"PORT": "8111", "MANAGEMENT_PORT": "8111"},
        {"PORT": "8111", "SPARE_PORT": "8111"},
        {"MANAGEMENT_PORT": "8111", "SPARE_PORT": "8111"},
        {"SPARE_PORT": "nine", "WEB_THREADS": "0"},
    ],
)
def test_what_start_refuses_is_not_fit(made: Made, variables: dict[str, str]) -> None:
    """Settings that cannot be, each alone or beside another, are refused in the same words."""
    folder = made.folder / PACKAGE
    (folder / "start.py").write_text(PORTS.format(package=PACKAGE))
    refused = command(made, "start", **variables)
    told = command(made, "check-env", **variables)
    assert (refused.returncode, told.returncode) == (1, 1)
    assert refused.stderr.startswith("error: ")
    assert (told.stdout, told.stderr) == (refused.stdout, refused.stderr)


def test_checks_that_fail_are_told(made: Made) -> None:
    """All of them, with how they ended."""
    table(
        made,
        'run.Check("one")',
        'run.Check("two")',
        LOOP,
        one='print("no disk")\nreturn 3',
        two="os.kill(os.getpid(), 9)",
    )
    done = command(made, "check-env")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "one     | no disk\n" in done.stderr
    assert "error: check 'one': exited with status 3\n" in done.stderr
    assert "error: check 'two': killed by signal 9 (SIGKILL)\n" in done.stderr


def test_a_command_of_the_deployment_is_run(made: Made) -> None:
    """With the key's descriptor, the settings, a TMPDIR that goes, stdin, and its own status."""
    body = f"""
from {PACKAGE} import config
secret = config.SECRETS.open()["CANARY"].reveal()
print(len(secret), argv[1:], os.environ["COLOUR"], input(), "SECRET_KEY" in os.environ)
folder = Path(os.environ["TMPDIR"])
(folder / "left").touch()
print(folder)
return 7
"""
    table(made, LOOP, once=body)
    done = command(made, "run", "once", "--dry-run", "x", COLOUR="red", TMPDIR=str(made.folder))
    first, folder = done.stdout.splitlines()
    assert first == f"{len(CANARY)} ['--dry-run', 'x'] red given on stdin False"
    assert Path(folder).parent == made.folder
    assert not Path(folder).exists()
    assert (done.returncode, done.stderr) == (7, "")


def test_a_program_on_the_path_gets_no_key(made: Made) -> None:
    """Neither variable nor descriptor, nor where systemd has put it; all else is as for a
    command."""
    script = "env; ls -l /proc/self/fd; cat; exit 5"
    folder = str(made.folder / "credentials")
    done = command(made, "run", "sh", "-c", script, COLOUR="red", CREDENTIALS_DIRECTORY=folder)
    assert "CREDENTIALS_DIRECTORY" not in done.stdout
    assert done.returncode == 5, done.stderr
    assert "COLOUR=red" in done.stdout and "TMPDIR=" in done.stdout
    assert "given on stdin" in done.stdout
    assert "LUGGAGE_KEY" not in done.stdout and "luggage-key" not in done.stdout
    assert made.key not in done.stdout


@pytest.mark.parametrize(("number", "status"), [(9, 137), (15, 143)])
def test_one_that_is_killed_tells_by_which_signal(made: Made, number: int, status: int) -> None:
    """As a shell does."""
    assert command(made, "run", "sh", "-c", f"kill -{number} $$").returncode == status


def test_signals_are_passed_on(made: Made) -> None:
    """TERM reaches the program, which may take its time; its status is the answer."""
    script = "trap 'echo heard; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    with started(made, "run", "sh", "-c", script) as running:
        running.wait_for("up")
        running.signal(signal.SIGTERM)
        assert running.wait() == 3
        assert "heard" in running.text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "run: no command is named"),
        (
            ("run", "no-such-thing"),
            "run: no command of the deployment is called so, and no",
        ),
        (("run", "start"), "run: start goes on until it is told to stop"),
        (("run", "gunicorn"), "run: gunicorn goes on until it is told to stop"),
        (("run", "lugkey1.abc"), "a private key was given as an argument"),
        (("run", "sh", "lugkey1.abc"), "a private key was given as an argument"),
    ],
)
def test_what_cannot_be_run(made: Made, words: tuple[str, ...], told: str) -> None:
    """Exit status 2, and what to type instead; no secret is repeated."""
    done = command(made, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {told}" in done.stderr or told in done.stderr
    assert "lugkey1.abc" not in done.stderr
    assert "hint: " in done.stderr


def test_help_of_both(made: Made) -> None:
    """Examples first of all; a command's own --help is its own."""
    for words in (("check-env", "--help"), ("run", "--help"), ("run", "-h")):
        done = command(made, *words)
        assert done.returncode == 0 and "examples:" in done.stdout
    assert "check-env" in command(made, "run", "check-env", "--help").stdout
