"""Lines of processes: none lost, none mixed, long ones in pieces."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from luggage.run.log.output import PIECE, Lines, Output


def collect(chunks: list[bytes]) -> list[tuple[bool, bytes]]:
    lines = Lines()
    pieces = [piece for chunk in chunks for piece in lines.feed(chunk)]
    return pieces + lines.end()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40)))
def test_short_lines_are_what_they_were(chunks: list[bytes]) -> None:
    """However a stream is cut into chunks, its lines come out, the unfinished one last."""
    wanted = b"".join(chunks).split(b"\n")
    if wanted[-1] == b"":
        wanted.pop()
    assert collect(chunks) == [(True, line) for line in wanted]


@settings(deadline=None)
@given(st.lists(st.integers(0, 3 * PIECE), max_size=4), st.integers(1, 70_000))
def test_long_lines_lose_nothing(sizes: list[int], chunk: int) -> None:
    """The pieces of a line make the line, and none is longer than PIECE."""
    whole = b"".join(b"x" * size + b"\n" for size in sizes)
    pieces = collect([whole[at : at + chunk] for at in range(0, len(whole), chunk)])
    assert all(len(text) <= PIECE for _, text in pieces)
    joined = b"".join((b"\n" if begins else b"") + text for begins, text in pieces)
    assert joined == b"".join(b"\n" + b"x" * size for size in sizes)


def test_no_character_is_cut() -> None:
    """A piece ends before a UTF-8 character, not within; what is no UTF-8 is cut all the same."""
    text = "x" + "é" * PIECE
    pieces = collect([text.encode() + b"\n"])
    assert "".join(piece.decode() for _, piece in pieces) == text
    noise = b"\xbf" * (2 * PIECE)
    assert b"".join(piece for _, piece in collect([noise])) == noise


def test_names_are_aligned_and_pieces_marked() -> None:
    """`name | text`, and `name : text` where a long line goes on; one write for each chunk."""
    written: list[bytes] = []
    out = Output(written.append, ["loop", "gunicorn"])
    out.lines("loop", [(True, b"a"), (False, b"b"), (True, b"")])
    out.say("two\nlines")
    assert written == [
        b"loop     | a\nloop     : b\nloop     | \n",
        b"luggage  | two\nluggage  | lines\n",
    ]


def test_the_last_lines_are_kept_for_each() -> None:
    """Twenty of a process, whatever others print."""
    written: list[bytes] = []
    out = Output(written.append, ["loop"])
    for number in range(30):
        out.lines("loop", [(True, b"%d" % number)])
        out.say("between")
    out.again("loop")
    assert written[-1] == b"".join(b"loop    | %d\n" % number for number in range(10, 30))
    assert out.last("loop") == [b"%d" % number for number in range(10, 30)], "as it printed them"
    assert out.last("luggage") == [b"between"] * 20
    assert out.last("nobody") == []


def test_lost_lines_are_counted() -> None:
    """How many were not taken is told once, before the next that are."""
    written: list[bytes] = []
    takes = [True]

    def write(data: bytes, _lines: int = 0) -> bool:
        if takes[0]:
            written.append(data)
        return takes[0]

    out = Output(write, ["loop"])
    out.say("one")
    takes[0] = False
    out.lines("loop", [(True, b"a"), (True, b"b")])
    out.say("c")
    takes[0] = True
    out.say("two")
    out.say("three")
    assert written == [
        b"luggage | one\n",
        b"luggage | 3 lines lost: nobody read the log\nluggage | two\n",
        b"luggage | three\n",
    ]
