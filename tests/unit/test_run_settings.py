"""Settings from the environment: typed, with every mistake named at once."""

from __future__ import annotations

import environ
import pytest

from luggage.errors import LuggageError
from luggage.run import settings


@environ.config(prefix="", frozen=True)
class Plain:
    """A deployment's own class, made with environ-config alone."""

    url: str = environ.var(help="the address of the service")
    pause: float = environ.var(default=1.5, converter=float, help="seconds between two lines")
    other: int = environ.var(default=3, converter=int, name="QUITE_ANOTHER")
    flag: bool = environ.bool_var(default=False)


@environ.config(prefix="SHOP", frozen=True)
class Prefixed:
    size: int = environ.var(converter=settings.whole(1, 9))


def test_defaults() -> None:
    """What is not set, or empty, has its default."""
    server = settings.read(settings.Server, {})
    assert (server.host, server.port, server.log_level) == ("127.0.0.1", 8000, "info")
    assert server.log_format == "human"
    empty = {"HOST": "", "PORT": "", "WEB_CONCURRENCY": "", "LOG_LEVEL": ""}
    assert settings.read(settings.Server, empty) == server


def test_values_are_typed() -> None:
    """Numbers are numbers; a level may be in capitals."""
    given = {"HOST": "::", "PORT": "80", "WEB_CONCURRENCY": "4", "LOG_LEVEL": "DEBUG", "X": "y"}
    server = settings.read(settings.Server, given)
    assert (server.host, server.port, server.web_concurrency) == ("::", 80, 4)
    assert server.log_level == "debug"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "+1", " 1", "1_0", "8e3", "٨", "80 ", "x"])
def test_ports_that_are_none(port: str) -> None:
    """Only plain decimal digits in range are a port."""
    with pytest.raises(LuggageError) as caught:
        settings.read(settings.Server, {"PORT": port})
    assert caught.value.message == f"variable PORT: {port!r} is not a whole number from 1 to 65535"


@pytest.mark.parametrize("host", ["http://x", "[::1]", "a b", "a\nb"])
def test_hosts_that_are_none(host: str) -> None:
    """A URL, brackets or white space are no host."""
    with pytest.raises(LuggageError, match="variable HOST: "):
        settings.read(settings.Server, {"HOST": host})


def test_everything_wrong_at_once_for_any_class() -> None:
    """Variable, value and what is expected: from the converter, else from the variable's help."""
    with pytest.raises(LuggageError) as caught:
        settings.read(Plain, {"PAUSE": "soon", "QUITE_ANOTHER": "many", "FLAG": "yes"})
    assert caught.value.message.splitlines() == [
        "variable URL: not set, expected: the address of the service",
        "variable PAUSE: its value is not seconds between two lines",
        "variable QUITE_ANOTHER: its value is not what int takes",
    ]


def _parrot(value: str) -> str:
    raise ValueError(f"an address, unlike {value}")


@environ.config(prefix="", frozen=True)
class Addresses:
    api: str = environ.var(converter=_parrot, help="the address of the service")
    level: str = environ.var(converter=settings.one_of("a", "b"))


PASSWORD = "hunter2"


@pytest.mark.parametrize("name", ["API", "LEVEL", "HOST", "PORT", "LOG_LEVEL"])
def test_no_password_of_an_address_is_told(name: str) -> None:
    """A rejected value goes to the log: it is not shown where it could hold a secret."""
    value = f"https://user:{PASSWORD}@service.example/1"
    wrong = settings.problems([settings.Server, Addresses], {"API": "x", "LEVEL": "a", name: value})
    [line] = [line for line in wrong if line.startswith(f"variable {name}: ")]
    assert line.startswith(f"variable {name}: its value is not ")
    assert PASSWORD not in "".join(wrong)


def test_what_is_long_is_not_told() -> None:
    """Such as the text of a key in the wrong variable."""
    [line] = settings.problems([settings.Server], {"PORT": "k" * 61})
    assert line == "variable PORT: its value is not a whole number from 1 to 65535"


def test_a_prefix_is_part_of_the_name() -> None:
    """As environ-config has it."""
    assert settings.read(Prefixed, {"SHOP_SIZE": "3"}).size == 3
    with pytest.raises(LuggageError, match="variable SHOP_SIZE: '0' is not a whole number from 1"):
        settings.read(Prefixed, {"SHOP_SIZE": "0"})


def test_several_classes_at_once() -> None:
    """`start` asks for luggage's and the deployment's together."""
    wrong = settings.problems([settings.Server, Prefixed], {"PORT": "x"})
    assert [line.split(":")[0] for line in wrong] == ["variable PORT", "variable SHOP_SIZE"]


def test_describe_names_every_variable() -> None:
    """--help cannot forget one."""
    lines = settings.describe(settings.Server, Prefixed).splitlines()
    named = [line.split()[0] for line in lines]
    assert named == [*settings.variables(settings.Server), "SHOP_SIZE"]
    assert {"HOST", "PORT", "WEB_CONCURRENCY", "LOG_LEVEL", "LOG_FORMAT"} < set(named)
    assert "(default: 8000)" in lines[1]
