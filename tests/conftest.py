"""What this machine can do → which tests run.

What is left out is said, with the reason; with --nothing-left-out it is a failure.
"""

from __future__ import annotations

import functools
import shutil
import signal
import subprocess
from collections.abc import Callable

import hypothesis
import pytest

# A machine that is full is slow now and then: no example has a time of its own.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")

# Where this was started in the background of a script, INT is ignored, and HUP where nohup started
# it, by all that it starts as well.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _answers(*words: str) -> str | None:
    """None where the command answers, else why it does not, in a line."""
    if shutil.which(words[0]) is None:
        return f"{words[0]} is not installed"
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"`{' '.join(words)}` says: {said[-1] if said else f'status {done.returncode}'}"


def _engine() -> str | None:
    docker = _answers("docker", "info")
    if docker is None:
        return None
    podman = _answers("podman", "info")
    return None if podman is None else f"no container engine: {docker}; {podman}"


def _browser() -> str | None:
    return _answers("chromium", "--version") or _answers("chromedriver", "--version")


def _node() -> str | None:
    return _answers("node", "--version") or _answers("npm", "--version")


NEEDS: dict[str, Callable[[], str | None]] = {
    "engine": functools.cache(_engine),
    "podman": functools.cache(lambda: _answers("podman", "info")),
    "browser": functools.cache(_browser),
    "node": functools.cache(_node),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nothing-left-out", action="store_true", help="a test that is left out is a failure"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker, why in NEEDS.items():
            if item.get_closest_marker(marker) is not None:
                reason = why()
                if reason is not None:
                    item.add_marker(pytest.mark.skip(reason=f"left out: {reason}"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and session.config.getoption("--nothing-left-out") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
