"""What a process of the table gets of its supervisor's environment."""

from __future__ import annotations

import pytest

from luggage.run.start import inherit
from luggage.run.table.processes import Process

ENVIRON = {
    "APP": "1",
    "LUGGAGE_KEY_FD": "3",
    "LUGGAGE_BOARD_FD": "4",
    "SECRET_KEY_FILE": "key",
    "CREDENTIALS_DIRECTORY": "/run/credentials",
    "NOTIFY_SOCKET": "/run/systemd/notify",
    "WATCHDOG_USEC": "1",
    "WATCHDOG_PID": "1",
}


@pytest.mark.parametrize("key", [True, False])
def test_who_gets_no_key_gets_no_place_where_it_lies(key: bool) -> None:
    """Neither its descriptor nor systemd's folder; nobody gets what is for the supervisor alone."""
    own = {"LUGGAGE_KEY_FD", "CREDENTIALS_DIRECTORY"} if key else set()
    found = inherit.names(Process("loop", "loop", key=key), ENVIRON)
    assert found == sorted({"APP", "LUGGAGE_BOARD_FD"} | own)
