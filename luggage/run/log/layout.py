"""A log record → a line for people, or one JSON object."""

from __future__ import annotations

import json as _json
import logging
import time
from collections.abc import Callable

from luggage.run.log.stamp import stamp
from luggage.web.request_id import current

Layout = Callable[[logging.LogRecord], str]

ACCESS = "gunicorn.access"
MORE = "  "  # in front of all lines of a record but the first
_text = logging.Formatter()
_encode = _json.JSONEncoder(default=str, allow_nan=False).encode
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def human(record: logging.LogRecord) -> str:
    """`INFO message`, or `INFO [request id] message`; the lines of a traceback follow.

    Whatever follows the first line is set in: it may have been anybody's text, and begins no line.
    """
    return _set_in(_traced(f"{record.levelname} {_id()}{_message(record)}", record))


def shared(record: logging.LogRecord) -> str:
    """As gunicorn has it: `[time] [pid] [INFO] message`; lines of the access log as they are."""
    if record.name == ACCESS:
        return _message(record)
    when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(record.created))
    head = f"[{when}] [{record.process}] [{record.levelname}] {_id()}"
    return _set_in(_traced(head + _message(record), record))


def json(record: logging.LogRecord) -> str:
    """One object in one line: time, pid, level, logger, request id and message.

    Then comes what the record has besides: its traceback, and everything that was given as `extra`.
    """
    told: dict[str, object] = {
        "time": stamp(record.created),
        "pid": record.process,
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    found = current()
    if found:
        told["request_id"] = found
    fields = getattr(record.msg, "fields", None) if record.name == ACCESS else None
    told |= fields() if callable(fields) else {"message": _message(record)}
    if record.exc_info or record.exc_text or record.stack_info:
        told["traceback"] = _traced("", record).lstrip("\n")
    whole = told.copy()
    for key, value in vars(record).items():
        if key not in _USUAL:
            whole.setdefault(key, value)
    try:
        return _encode(whole)
    except Exception:
        return _encode({key: told.get(key, _shown(value)) for key, value in whole.items()})


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _id() -> str:
    found = current()
    return f"[{found}] " if found else ""


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg!r} with arguments that do not fit"


def _set_in(text: str) -> str:
    return text.rstrip("\n").replace("\n", "\n" + MORE)


def _traced(text: str, record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = _text.formatException(record.exc_info)
    return "\n".join(it for it in (text, record.exc_text, record.stack_info) if it is not None)
