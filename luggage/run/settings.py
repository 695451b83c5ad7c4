"""The environment → typed settings, with everything wrong in it told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import environ as environ_config

from luggage.errors import LuggageError, all_wrong

T = TypeVar("T")
C = TypeVar("C", bound=Callable[[Any], Any])

LONG = 60  # characters; no harmless value is longer
LEVELS = ("debug", "info", "warning", "error", "critical")
FORMATS = ("human", "json")
HINT = "set it right, or leave it out where there is a default; --help lists the variables"


def shown(converter: C) -> C:
    """Mark a converter whose rejected values may go to the log; others could be a secret."""
    converter.shows = True  # type: ignore[attr-defined]
    return converter


def whole(lowest: int, highest: int) -> Callable[[Any], int]:
    """A converter: decimal digits → an integer from `lowest` to `highest`."""

    @shown
    def convert(value: Any) -> int:
        text = str(value)
        # int() would also take '+1', ' 1', '1_0' and digits of other scripts.
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not lowest <= number <= highest:
            raise ValueError(f"a whole number from {lowest} to {highest}")
        return number

    return convert


def one_of(*choices: str) -> Callable[[Any], str]:
    """A converter: one of `choices`, in any case → that choice."""

    @shown
    def convert(value: Any) -> str:
        text = str(value).lower()
        if text not in choices:
            raise ValueError("one of " + ", ".join(choices))
        return text

    return convert


@shown
def host(value: Any) -> str:
    """A converter: an address or a host's name, without a port."""
    text = str(value)
    if not text.isprintable() or any(character in " /[]" for character in text):
        raise ValueError("an address such as 127.0.0.1, 0.0.0.0 or ::")
    return text


_HOST = host  # below, that is the setting


@environ_config.config(prefix="", frozen=True)
class Server:
    """Where and how the web server listens, and how much is told."""

    host: str = environ_config.var(
        default="127.0.0.1", converter=host, help="the address to listen on"
    )
    port: int = environ_config.var(
        default=8000, converter=whole(1, 65535), help="the port to listen on"
    )
    web_concurrency: int = environ_config.var(
        default=2, converter=whole(1, 256), help="how many web worker processes"
    )
    web_threads: int = environ_config.var(
        default=8, converter=whole(1, 256), help="how many requests each worker runs at once"
    )
    request_deadline: int = environ_config.var(
        default=30,
        converter=whole(0, 86_400),
        help="seconds that the app may take for a request; 0: any",
    )
    worker_memory: int = environ_config.var(
        default=0,
        converter=whole(0, 1 << 20),
        help="MiB that a web worker may have before it is replaced; 0: its share of the "
        "container's limit",
    )
    drain_delay: int = environ_config.var(
        default=0,
        converter=whole(0, 3600),
        help="seconds to serve on after TERM, while ready answers 503",
    )
    management_port: int = environ_config.var(
        default=9000, converter=whole(0, 65535), help="the port of the management pages; 0: none"
    )
    management_host: str = environ_config.var(
        default="", converter=_HOST, help="the address of that port; by default HOST"
    )
    log_level: str = environ_config.var(
        default="info", converter=one_of(*LEVELS), help=", ".join(LEVELS)
    )
    log_format: str = environ_config.var(
        default="human", converter=one_of(*FORMATS), help="how lines are written: human, or json"
    )


def read(cls: type[T], environ: Mapping[str, str]) -> T:
    """The environ-config class `cls` filled from `environ`; an empty variable counts as not set.

    Raises LuggageError that names every variable that is missing or wrong, and what is expected:
    what its converter says in a ValueError. A wrong value is told where the converter is `shown`.
    """
    given = {name: value for name, value in environ.items() if value}
    wrong = problems([cls], environ)
    if wrong:
        raise LuggageError(all_wrong(wrong), HINT)
    return environ_config.to_config(cls, given)


def problems(classes: Iterable[type[Any]], environ: Mapping[str, str]) -> list[str]:
    """What is wrong in `environ` for all of `classes`, a line each."""
    wrong = []
    for cls in classes:
        for name, field in variables(cls).items():
            if not environ.get(name):
                if field.default is attrs.NOTHING or _required(field):
                    wrong.append(f"variable {name}: not set, {_expected(field)}")
            elif callable(field.converter):
                try:
                    field.converter(environ[name])
                except (TypeError, ValueError) as error:
                    value = environ[name]
                    told = _told(value, field)
                    wrong.append(f"variable {name}: {told} is not {_reason(error, value, field)}")
    return wrong


def variables(cls: type[Any]) -> dict[str, attrs.Attribute[Any]]:
    """The variables that an environ-config class reads, by name."""
    prefix = getattr(cls, "_prefix", "") or ""
    found = {}
    for field in attrs.fields(cls):
        entry = field.metadata.get("environ_config")
        if entry is not None:
            name = entry.name or "_".join(filter(None, (str(prefix), field.name))).upper()
            found[name] = field
    return found


def value(name: str, classes: Iterable[type[Any]], environ: Mapping[str, str]) -> Any:
    """The setting that the variable `name` holds, by whichever of `classes` reads it."""
    for cls in classes:
        field = variables(cls).get(name)
        if field is not None:
            return getattr(read(cls, environ), field.name)
    raise LuggageError(
        f"variable {name}: none of the deployment's settings", "mend the deployment's start.py"
    )


def describe(*classes: type[Any]) -> str:
    """The variables of `classes` as lines for a command's --help."""
    lines = []
    for cls in classes:
        for name, field in variables(cls).items():
            default = (
                ""
                if _required(field) or field.default in ("", None)
                else f" (default: {field.default!s})"
            )
            lines.append(f"  {name:<16} {_help(field)}{default}")
    return "\n".join(lines)


def _required(field: attrs.Attribute[Any]) -> bool:
    # environ-config marks a variable without a default by an instance of its own class.
    return type(field.default).__name__ == "Raise"


def _help(field: attrs.Attribute[Any]) -> str:
    return field.metadata["environ_config"].help or ""


def _expected(field: attrs.Attribute[Any]) -> str:
    return f"expected: {_help(field)}" if _help(field) else "and it has no default"


def _told(value: str, field: attrs.Attribute[Any]) -> str:
    # What has an '@' may be an address with a user and a password.
    harmless = getattr(field.converter, "shows", False) and "@" not in value and len(value) <= LONG
    return repr(value) if harmless else "its value"


def _reason(error: Exception, value: str, field: attrs.Attribute[Any]) -> str:
    # int() and its like speak of literals, and repeat the value: the variable's help tells more.
    text = str(error)
    leaks = value in text and not getattr(field.converter, "shows", False)
    if not text or "literal" in text or "could not convert" in text or leaks:
        return _help(field) or f"what {getattr(field.converter, '__name__', 'it')} takes"
    return text
