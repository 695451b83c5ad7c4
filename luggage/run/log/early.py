"""What is told before there is a log → a line of the log, where lines are JSON."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from luggage.errors import LuggageError


def error(raised: LuggageError, environ: Mapping[str, str]) -> str:
    """An error, with its hint; one line where LOG_FORMAT in `environ` asks for JSON."""
    return line(raised.render(), "error", environ)


def crash(raised: Exception, environ: Mapping[str, str]) -> str | None:
    """What is no error of ours, with its traceback; None where lines are not to be JSON."""
    if not _asked(environ):
        return None
    # A start that goes well needs none of these here.
    import json  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    from luggage.run.log.printed import SELF, Json  # noqa: PLC0415

    told = {
        "message": "".join(traceback.format_exception_only(raised)).rstrip("\n"),
        "traceback": "".join(traceback.format_exception(raised)).rstrip("\n"),
    }
    printed = [(True, json.dumps(told).encode())]
    return _text(Json(time.time)(SELF, printed, os.getpid(), stream=2))


def line(text: str, level: str, environ: Mapping[str, str]) -> str:
    """`text`, or the line of JSON that it is where LOG_FORMAT in `environ` asks for that."""
    if not _asked(environ):
        return text
    from luggage.run.log.printed import Json  # noqa: PLC0415 - a start that goes well has its own

    return _text(Json(time.time).own(text, level, os.getpid(), stream=2))


def _asked(environ: Mapping[str, str]) -> bool:
    return environ.get("LOG_FORMAT", "").lower() == "json"


def _text(lines: list[bytes]) -> str:
    return b"".join(lines).decode().removesuffix("\n")
