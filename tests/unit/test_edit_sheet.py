"""The sheet that `edit` shows: what nobody touched comes back, what is broken is told by line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luggage.configfile import sheet
from luggage.crypto import Secret
from luggage.crypto.envelope import Typed

CANARY = "canary-value-2b7f"


def parse(text: str | bytes) -> tuple[dict[str, tuple[str, bytes]], list[sheet.Problem]]:
    data = text if isinstance(text, bytes) else text.encode()
    values, problems = sheet.parse(Secret(data))
    return {name: (it.kind, it.value.reveal()) for name, it in values.items()}, problems


def dump(values: dict[str, tuple[str, bytes]]) -> str:
    typed = {name: Typed(kind, Secret(raw)) for name, (kind, raw) in values.items()}
    text: str = sheet.dump("thing", "demo", typed).reveal().decode()
    return text


VALUE = st.one_of(
    st.tuples(st.just("bytes"), st.binary(max_size=200)),
    st.tuples(st.just("text"), st.text(max_size=80).map(str.encode)),
    st.tuples(
        st.just("text"), st.text("END_1\n\r\t \"'#=<\\$é\u2028\ufeff", max_size=40).map(str.encode)
    ),
    st.tuples(
        st.just("json"), st.sampled_from([b'"x"', b" [1,\n 2]\r\n", b"1", b'{"a": "\xc3\xa9"}'])
    ),
    st.tuples(st.just("url"), st.sampled_from([b"postgres://u:p@h/d?x=#", b"a:<<END"])),
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True), VALUE, max_size=5))
def test_what_nobody_touched_comes_back_byte_for_byte(values: dict[str, tuple[str, bytes]]) -> None:
    """Any values of any type; and the sheet has nothing that an editor changes unasked."""
    text = dump(values)
    assert (values, []) == parse(text)
    assert all(line == line.rstrip() for line in text.split("\n"))
    assert all(c in "\n\t" or c.isprintable() for c in text)


def test_it_is_made_to_be_read() -> None:
    """One line where one will do; several stand as they are."""
    text = dump(
        {
            "A": ("text", b"plain = # value"),
            "B": ("text", b"-----BEGIN-----\nabc\n-----END-----\n"),
            "C": ("bytes", b"\0\xff"),
            "D": ("text", b" x"),
            "E": ("json", b'{"a": 1}'),
            "F": ("text", b"END\nEND_1"),
            "G": ("bytes", b""),
        }
    )
    assert text.startswith("# Environment 'demo' of project 'thing'.")
    assert text.endswith(
        """
A text = plain = # value

B text <<END
-----BEGIN-----
abc
-----END-----

END

C bytes = AP8=

D text escaped = " x"

E json = {"a": 1}

F text <<END_2
END
END_1
END_2

G bytes = ""
"""
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", ("text", b"b")),
        ("  A \t=\t b c", ("text", b"b c")),
        ("A url = a:b=<<x", ("url", b"a:b=<<x")),
        ('A = "b"', ("text", b'"b"')),
        ("A <<X\n# no comment\n\nB = 1\nX", ("text", b"# no comment\n\nB = 1")),
        (
            "A bytes <<END\n AP8=\nAP8=\nEND".replace("AP8=\n", "AP8A\n", 1),
            ("bytes", b"\0\xff\0\0\xff"),
        ),
        ('A escaped = "\\u00e9\\n"', ("text", b"\xc3\xa9\n")),
        ("\ufeffA = b\n\n# c\n \t\n", ("text", b"b")),
    ],
)
def test_what_a_person_writes_is_read(text: str, value: tuple[str, bytes]) -> None:
    """White space around the name, no type, a block's lines as they are."""
    assert ({"A": value}, []) == parse(text)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (f"\n{CANARY}", 2, "neither NAME = value"),
        (f"{CANARY} = 1", 1, "the name is not"),
        (" = 1", 1, "the name is not"),
        (f"A {CANARY} = 1", 1, "no known type"),
        ("A text text = 1", 1, "no known type"),
        ("A escaped <<END\nx\nEND", 1, "no known type"),
        ('A bytes escaped = "x"', 1, "no known type"),
        (f"A = {CANARY}\nA = {CANARY}", 2, "A stands twice: the first is in line 1"),
        (f"A = {CANARY} ", 1, "ends in white space"),
        ("A =", 1, "no value"),
        ("A <<END\nEND", 1, "no value"),
        ("A bytes =", 1, "not base64"),
        (f"A bytes = {CANARY}", 1, "not base64"),
        ("A bytes = QR==", 1, "not base64"),
        (f"A json = {CANARY}", 1, "A: not strict JSON"),
        (f"A url = {CANARY}", 1, "A: not a URL"),
        (f"A escaped = {CANARY}", 1, "one JSON string"),
        ('A escaped = "\\ud800"', 1, "one JSON string"),
        ("A escaped = 1", 1, "one JSON string"),
        (f"\nA <<END\n{CANARY}\nB = 1\n END", 2, "no line below"),
        ("A <<end\nend", 1, "a word such as END"),
        ("A = " + "x" * 65_537, 1, "65,536"),
        ("A = b\r\nB = c\r\n", 1, "carriage return"),
        (b"A = b\nB = \xff", 2, "not UTF-8"),
    ],
)
def test_what_is_broken_is_told_by_its_line(text: str | bytes, line: int, told: str) -> None:
    """The first line of each is always among them, and nothing is quoted but a name."""
    _, problems = parse(text)
    assert problems[0].line == line
    assert told in problems[0].message
    assert all(CANARY not in problem.message for problem in problems)


def test_several_mistakes_are_told_at_once() -> None:
    """A block is taken whole even behind a name that is wrong: its lines are no secrets."""
    values, problems = parse("a <<END\nB = 1\nEND\nC = \nD = 1\nnothing")
    assert values == {"D": ("text", b"1")}
    assert [problem.line for problem in problems] == [1, 4, 6]
