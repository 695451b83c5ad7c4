"""The example's settings: typed, told at once, and read only when asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import example_app
from example_deploy.config import App
from luggage.errors import LuggageError
from luggage.run import settings

ROOT = Path(example_app.__file__).parent.parent


def test_without_any_the_standin_is_asked() -> None:
    """The default service is the stand-in, on the port that it has; empty is not set."""
    assert settings.read(App, {}).service == "http://127.0.0.1:8001"
    assert settings.read(App, {"API_URL": "", "STANDIN_PORT": "9001"}).service.endswith(":9001")


def test_a_service_that_is_given_is_asked() -> None:
    """API_URL is the service, without a last slash."""
    environ = {"API_URL": "https://lines.example/1/", "STANDIN_PORT": "9001"}
    assert settings.read(App, environ).service == "https://lines.example/1"


def test_everything_wrong_is_told_at_once() -> None:
    """Both variables are named, with what is expected."""
    with pytest.raises(LuggageError) as caught:
        settings.read(App, {"API_URL": "lines.example", "STANDIN_PORT": "80000"})
    told = caught.value.message.splitlines()
    assert [line.split(":")[0] for line in told] == ["variable API_URL", "variable STANDIN_PORT"]
    assert "an http:// or https:// address" in told[0]
    assert "a whole number from 1 to 65535" in told[1]


def test_importing_the_configuration_opens_nothing() -> None:
    """config imports with a broken environment and without a key."""
    words = [sys.executable, "-c", "import example_deploy.config"]
    broken = {"API_URL": "x", "STANDIN_PORT": "x", "SECRET_KEY": "x", "PATH": os.environ["PATH"]}
    done = subprocess.run(words, cwd=ROOT, env=broken, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["loop", "standin"])
def test_the_commands_have_help(command: str) -> None:
    """--help shows examples and the variables, and needs no key."""
    words = [sys.executable, "-m", "example_deploy", command, "--help"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("examples:", "API_URL", "STANDIN_PORT", "DATA_DIR"):
        assert word in done.stdout
