"""A log record as JSON: one valid object, whatever is in it, with nothing of ours overwritten."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luggage.run.log import layout
from luggage.run.log.stamp import stamp

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.binary() | st.tuples(st.integers()), inner)
        | st.sets(st.integers())
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(["time", "pid", "level", "logger", "status", "traceback"]) | st.text()


def refuse(constant: str) -> object:
    raise AssertionError(constant)


@given(st.text() | ANY, st.tuples() | st.tuples(ANY), st.dictionaries(NAMES, ANY))
def test_every_record_is_one_object(message: Any, args: Any, extra: dict[str, Any]) -> None:
    """Any message, any arguments, any extra values."""
    usual = {"msg": message, "args": args, "levelname": "INFO", "name": "app", "process": 7}
    record = logging.makeLogRecord({**extra, **usual, "created": 0.0})
    text = layout.json(record)
    assert re.fullmatch(r"[\x20-\x7e]+", text)
    told = json.loads(text, parse_constant=refuse)
    expected = {"time": stamp(0.0), "pid": 7, "level": "info", "logger": "app"}
    assert {key: told[key] for key in expected} == expected
    assert isinstance(told["message"], str)
    assert extra.keys() - vars(logging.makeLogRecord({})).keys() <= told.keys() | {
        "message",
        "asctime",
        "taskName",
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_795_181_129.1239, "2026-11-20T13:25:29.123Z"),
        (1_795_181_129.9999, "2026-11-20T13:25:29.999Z"),
    ],
)
def test_the_time_is_cut(seconds: float, text: str) -> None:
    """To milliseconds, and never into the next second."""
    assert stamp(seconds) == text
