"""Lines as JSON: one valid object each, whatever a process prints, and nothing of it lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luggage.run.log.output import Lines, Output
from luggage.run.log.printed import PIECE, WHOLE, Json

NOW = 1_795_181_129.1239
TIME = "2026-11-20T13:25:29.123Z"
KNOWN = {"time": TIME, "process": "loop", "pid": 7, "stream": "stdout"}

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["time", "process", "pid", "stream", "level", "message", "msg"]) | st.text(),
    JSONS,
)
PRINTED = (
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | OBJECTS.map(lambda it: json.dumps(it).encode())
    | OBJECTS.map(lambda it: json.dumps(it, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | OBJECTS.map(lambda it: b"  " + json.dumps(it, indent=1).replace("\n", "\t").encode() + b"\r")
)


def strict(line: bytes) -> dict[str, Any]:
    """The object that is a line; its own parser, which takes no NaN and no member twice."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(pairs)

    def refuse(constant: str) -> object:
        raise AssertionError(constant)

    found = json.loads(
        line.decode(), parse_constant=refuse, object_pairs_hook=once, parse_int=float
    )
    assert isinstance(found, dict)
    return found


def out(printed: bytes, stream: int = 1) -> list[dict[str, Any]]:
    """What `printed` becomes, from the process `loop` with the pid 7."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    lines = output.stream()
    output.lines("loop", lines.feed(printed) + lines.end(), 7, stream)
    return [strict(line) for line in b"".join(written).splitlines(keepends=True)]


@settings(deadline=None)
@given(st.lists(PRINTED), st.integers(1, 50))
def test_each_line_is_one_object(printed: list[bytes], size: int) -> None:
    """Broken UTF-8, NUL bytes, half objects: a line in is a line out, valid and complete."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    lines = output.stream()
    data = b"".join(line.replace(b"\n", b" ") + b"\n" for line in printed)
    for at in range(0, len(data), size):
        output.lines("loop", lines.feed(data[at : at + size]), 7)
    told = [strict(line) for line in b"".join(written).splitlines(keepends=True)]
    assert len(told) == len(printed)
    for one in told:
        assert {"time", "process", "pid", "stream", "level", "message"} <= one.keys()


@settings(deadline=None)
@given(OBJECTS)
def test_an_object_is_passed_through_whole(given_: dict[str, Any]) -> None:
    """What it has is there afterwards, and is what it was; what it lacks is added."""
    try:
        text = json.dumps(given_, allow_nan=False)
    except ValueError:
        return
    [told] = out(text.encode())
    assert {key: told[key] for key in given_} == json.loads(text, parse_int=float)
    added = {key: told[key] for key in told.keys() - given_.keys()}
    expected = {**KNOWN, "level": "info"}
    if isinstance(given_.get("msg"), str):
        expected["message"] = json.loads(text)["msg"]
    else:
        expected["message"] = ""
    assert added == {key: value for key, value in expected.items() if key not in given_}


def test_text() -> None:
    """A line of text is a message; an empty line is one, too."""
    assert out(b"hello\n\nw\xc3\xb6rld\r\n") == [
        {**KNOWN, "level": "info", "message": "hello"},
        {**KNOWN, "level": "info", "message": ""},
        {**KNOWN, "level": "info", "message": "wörld"},
    ]


def test_stderr() -> None:
    """What comes on stderr is nothing that a log handler wrote: it counts as an error."""
    told = out(b"Segmentation fault\n", 2)
    error = {**KNOWN, "stream": "stderr", "level": "error", "message": "Segmentation fault"}
    assert told == [error]


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"}",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\x01"}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": \x00}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": 01}',
        b'{"a": .5}',
        b'{"a": \xd9\xa3}',
        b"[1]",
        b'"a"',
        b"1",
        b"null",
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_object_is_text(text: bytes) -> None:
    """Broken JSON, other JSON, and what is nested deeper than readers take."""
    [told] = out(text)
    assert told == {
        **KNOWN,
        "level": "info",
        "message": text.decode("utf-8", "backslashreplace"),
    }


def test_huge_numbers_stay() -> None:
    """To the digit, however many: nobody here reads them."""
    digits = "9" * 10_000
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    output.lines("loop", [(True, f'{{"a": {digits}, "b": 1e99999}}'.encode())], 7)
    assert f'"a": {digits}, "b": 1e99999}}'.encode() in written[0]


def test_members_twice_stay() -> None:
    """It is the app's own object: readers take the last, as they would have."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    output.lines("loop", [(True, b'{"level": "debug", "a": 1, "a": 2, "level": "error"}')], 7)
    assert b'"level": "debug", "a": 1, "a": 2, "level": "error"}' in written[0]
    assert written[0].count(b'"level"') == 2


def test_a_member_by_another_spelling_is_there() -> None:
    """An escape in a name is the same name: nothing is added beside it."""
    [told] = out(b'{"\\u0074ime": 1, "message": "x"}')
    assert told["time"] == 1


def test_the_words_of_other_libraries() -> None:
    """structlog's event and bunyan's msg are the message, Google's severity is the level."""
    [told] = out(b'{"event": "e", "severity": "WARNING"}')
    assert (told["message"], told["level"]) == ("e", "warning")
    [told] = out(b'{"msg": 1, "severity": 3}')
    assert (told["message"], told["level"]) == ("", "info")


@pytest.mark.parametrize("odd", ["\x7f", "\x9b", "\u2028", "\u2029"])
def test_what_moves_a_terminal_is_escaped(odd: str) -> None:
    """The object is the same, and its line is safe to show."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    output.lines("loop", [(True, f'{{"{odd}": "é{odd}"}}'.encode())], 7)
    assert odd not in written[0].decode()
    assert strict(written[0])[odd] == f"é{odd}"
    output.lines("loop", [(True, f"é{odd}".encode())], 7)
    assert written[1].isascii()
    assert strict(written[1])["message"] == f"é{odd}"


def test_a_long_object_is_whole() -> None:
    """One of 1 MB, in chunks as they come from a pipe."""
    text = json.dumps({"message": "x", "data": "é" * 500_000}, ensure_ascii=False).encode()
    output_lines = Lines(Json(lambda: NOW).longest)
    pieces = []
    for at in range(0, len(text), 8192):
        pieces += output_lines.feed(text[at : at + 8192])
    assert pieces == []
    assert output_lines.feed(b"\n") == [(True, text)]
    [told] = out(text + b"\n")
    assert told["data"] == "é" * 500_000


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "{" + "x" * 1_000_000, '{"a": "' + "é" * WHOLE + '"}', "\x00" * 50_000],
)
def test_a_long_text_comes_in_pieces(text: str) -> None:
    """None is longer than Docker's own lines, together they are the text, and all but the first
    say that they go on."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    lines = output.stream()
    data = text.encode() + b"\nnext\n"
    for at in range(0, len(data), 8192):
        output.lines("loop", lines.feed(data[at : at + 8192]), 7)
    made = b"".join(written).splitlines(keepends=True)
    assert max(map(len, made)) < PIECE + 384
    *told, last = [strict(line) for line in made]
    assert "".join(one["message"] for one in told) == text
    assert [one.get("continued", False) for one in told] == [False] + [True] * (len(told) - 1)
    assert last == {**KNOWN, "level": "info", "message": "next"}


def test_own_lines() -> None:
    """luggage's are objects, too; what it says at once is one."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    output.say("two\nlines \x1b \udcff")
    output.say("error: loop: worse")
    told = [strict(line) for line in written]
    assert told[0]["message"] == "two\nlines \x1b \udcff"
    assert [(one["process"], one["stream"], one["level"]) for one in told] == [
        ("luggage", "stdout", "info"),
        ("luggage", "stdout", "error"),
    ]


def test_lost_lines_are_told_as_json() -> None:
    """How many, before the next line."""
    written: list[bytes] = []
    takes = [False]

    def write(data: bytes, _lines: int = 0) -> bool:
        if takes[0]:
            written.append(data)
        return takes[0]

    output = Output(write, ["loop"], "json", lambda: NOW)
    output.lines("loop", [(True, b"a"), (True, b"b")], 7)
    takes[0] = True
    output.lines("loop", [(True, b"c")], 7)
    told = [strict(line) for line in b"".join(written).splitlines(keepends=True)]
    assert [one["message"] for one in told] == ["2 lines lost: nobody read the log", "c"]


def test_again_is_valid_too() -> None:
    """The last lines, once more: one that was cut is text."""
    written: list[bytes] = []
    output = Output(written.append, ["loop"], "json", lambda: NOW)
    output.lines("loop", [(True, b'{"a": "' + b"x" * 20_000 + b'"}'), (True, b'{"a": 1}')], 7)
    written.clear()
    output.again("loop")
    told = [strict(line) for line in b"".join(written).splitlines(keepends=True)]
    assert told[-1]["a"] == 1
    assert "".join(one["message"] for one in told[:-1]) == '{"a": "' + "x" * (PIECE - 7)


def test_last_lines_are_for_people() -> None:
    """Level, request, message and traceback of an object; text as it is."""
    output = Output(lambda _: True, ["loop"], "json", lambda: NOW)
    printed = [
        b"plain",
        b'{"message": "said", "level": "info", "request_id": "abc-1"}',
        b'{"event": "went wrong", "traceback": "Traceback:\\n  at"}',
        b'{"other": 1}',
        b"{half",
    ]
    output.lines("loop", [(True, line) for line in printed], 7)
    assert output.last("loop") == [
        b"plain",
        b"INFO [abc-1] said",
        b"INFO went wrong",
        b"Traceback:",
        b"  at",
        b'{"other": 1}',
        b"{half",
    ]
    output.lines("loop", [(True, b'{"message": "m", "traceback": "' + b"x\\n" * 50 + b'"}')], 7)
    assert len(output.last("loop")) == 20
