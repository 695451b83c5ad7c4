"""Where each process that serves listens: no port twice, and that of the management pages."""

from __future__ import annotations

import contextlib

import environ as environ_config
import pytest

from luggage.errors import LuggageError
from luggage.run import settings
from luggage.run.table import places
from luggage.run.table.processes import Process

WEB = Process("gunicorn", "gunicorn", kind="web")
OTHER = Process("standin", "standin", port="STANDIN_PORT")


@environ_config.config(prefix="", frozen=True)
class App:
    standin_port: int = environ_config.var(default=8001, converter=settings.whole(1, 65535))


def found(*wanted: Process, **variables: str) -> places.Places:
    server = settings.read(settings.Server, variables)
    return places.places(wanted, server, [App], variables)


def test_every_port_that_is_there_twice_is_told() -> None:
    """Those of the processes, and that of the management pages where it was asked for."""
    with pytest.raises(LuggageError) as caught:
        found(WEB, OTHER, PORT="8080", STANDIN_PORT="8080", MANAGEMENT_PORT="8080")
    assert caught.value.message.splitlines() == [
        "PORT and STANDIN_PORT: both are 8080",
        "PORT and MANAGEMENT_PORT: both are 8080",
    ]
    assert (caught.value.hint or "").splitlines() == [
        "set STANDIN_PORT to another",
        "set MANAGEMENT_PORT to another",
    ]
    assert set(found(OTHER, PORT="8080", MANAGEMENT_PORT="8080")) == {"standin"}, "nobody has PORT"


@pytest.mark.parametrize(
    ("variables", "named"),
    [({"PORT": "9000"}, "PORT"), ({"STANDIN_PORT": "9000"}, "STANDIN_PORT")],
)
def test_a_process_has_the_usual_port_of_the_pages(variables: dict[str, str], named: str) -> None:
    """No pages then, and the one line says whose it is and what to set: nobody asked for 9000."""
    server = settings.read(settings.Server, variables)
    with contextlib.ExitStack() as stack:
        pages, told = places.management(server, found(WEB, OTHER, **variables), variables, stack)
    assert pages is None
    assert told == (
        f"no management port: {named} is 9000, where it usually is; "
        "set MANAGEMENT_PORT to a free one, or to 0"
    )
