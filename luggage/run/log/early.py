"""What is told before there is a log → a line of the log, where lines are JSON."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping

from luggage.errors import LuggageError


class LineError(LuggageError):
    """An error that is one line of JSON, with message and hint in it."""

    def render(self) -> str:
        return _json(super().render(), "error")


@contextlib.contextmanager
def errors(environ: Mapping[str, str]) -> Iterator[None]:
    """Let an error be a line of JSON, where LOG_FORMAT in `environ` asks for that."""
    try:
        yield
    except LuggageError as error:
        if not _asked(environ):
            raise
        raise LineError(error.message, error.hint, status=error.status) from error


def line(text: str, level: str, environ: Mapping[str, str]) -> str:
    """`text`, or the line of JSON that it is where LOG_FORMAT in `environ` asks for that."""
    return _json(text, level) if _asked(environ) else text


def _asked(environ: Mapping[str, str]) -> bool:
    return environ.get("LOG_FORMAT", "").lower() == "json"


def _json(text: str, level: str) -> str:
    from luggage.run.log.printed import Json  # noqa: PLC0415 - a start that goes well has its own

    written = Json(time.time).own(text, level, os.getpid(), stream=2)
    return b"".join(written).decode().removesuffix("\n")
