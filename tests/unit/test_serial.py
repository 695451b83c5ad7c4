"""`serial` as a user runs it, and how SERIAL is read (docs/format.md, §4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from depots import Checkout

from luggage.buildpex import sealed
from luggage.configfile import serial
from luggage.errors import LuggageError

HEAD = b'"""A config."""\n\nfrom luggage import crypto\n\n'
SECRETS = b'# the secrets\nSECRETS = crypto.Secrets(format=1, project="x", environments={})\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "made")


def test_it_is_shown_and_raised(checkout: Checkout) -> None:
    """From none to 1 and 2; no other line of config.py changes, and its secrets open as before."""
    before = checkout.config.read_bytes().splitlines()
    values = checkout.values()
    done = checkout.run("serial")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"serial --raise" in done.stderr
    for number in (b"1", b"2"):
        done = checkout.run("serial", "--raise")
        assert (done.returncode, done.stdout) == (0, number + b"\n"), done.stderr
        after = checkout.config.read_bytes().splitlines()
        assert [line for line in after if line != b"SERIAL = " + number] == before
        assert checkout.run("serial").stdout == number + b"\n"
    assert values == checkout.values()
    assert sealed.serial(checkout.config.read_bytes(), "config.py") == 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (HEAD + SECRETS, HEAD + b"SERIAL = 1\n" + SECRETS),
        (b"SERIAL = 9  # kept\n" + SECRETS, b"SERIAL = 10  # kept\n" + SECRETS),
        (b"x = 'SERIAL = 3'; SERIAL = 7; y = 1\n", b"x = 'SERIAL = 3'; SERIAL = 8; y = 1\n"),
        ("é = 'é'; SERIAL = 7\n".encode(), "é = 'é'; SERIAL = 8\n".encode()),
        (b"\xef\xbb\xbfSERIAL = 7\n", b"\xef\xbb\xbfSERIAL = 8\n"),
        (b"x = 1\r\nSERIAL = \\\r\n 7\r\n", b"x = 1\r\nSERIAL = \\\r\n 8\r\n"),
        (b"# coding: utf-8\nSERIAL = 7\n", b"# coding: utf-8\nSERIAL = 8\n"),
        (b"\xef\xbb\xbf" + SECRETS, b"\xef\xbb\xbfSERIAL = 1\n" + SECRETS),
        (
            b"\xef\xbb\xbfSECRETS = 1\r\n",
            b"\xef\xbb\xbfSERIAL = 1\r\nSECRETS = 1\r\n",
        ),
        (b"x = 1", b"x = 1\nSERIAL = 1\n"),
        (b"x = 1\r\n", b"x = 1\r\nSERIAL = 1\r\n"),
        (b"", b"SERIAL = 1\n"),
    ],
)
def test_it_is_spliced(source: bytes, expected: bytes) -> None:
    """No other byte changes."""
    assert serial.raised(source, "config.py") == expected


@pytest.mark.parametrize(
    "source",
    [
        "SERIAL = 0",
        "SERIAL = 007 if False else 7",
        "SERIAL = 1_0",
        "SERIAL = 0x7",
        "SERIAL = -7",
        "SERIAL = '7'",
        "SERIAL = True",
        "SERIAL = 7.0",
        f"SERIAL = {2**63}",
        "SERIAL = 3 + 4",
        "SERIAL: int = 7",
        "SERIAL = 7\nSERIAL = 8",
        "SERIAL = 7\nSERIAL += 1",
        "SERIAL = OTHER = 7",
        "SERIAL, x = 7, 8",
        "if True:\n    SERIAL = 7",
        "SERIAL = 7\ndef f():\n    global SERIAL",
        "import SERIAL",
        "from x import y as SERIAL",
        "def SERIAL(): pass",
        "SERIAL = 7\nfor SERIAL in (): pass",
        "SERIAL = 7\ndel SERIAL",
        "SERIAL = (",
        "SERIAL = (7)",
        "(SERIAL) = 7",
        "SERIAL = 7\nfrom os.path import *",
        "# coding: latin-1\nSERIAL = 7",
    ],
)
def test_any_other_way_to_state_it_is_refused(source: str) -> None:
    """What is computed when the module runs could be another number then."""
    with pytest.raises(LuggageError, match=r"config module 'c\.py': "):
        sealed.serial(source.encode(), "c.py")
    with pytest.raises(LuggageError, match=r"config module 'c\.py': "):
        serial.raised(source.encode(), "c.py")


@pytest.mark.parametrize(
    "source",
    [
        b"# coding: latin-1\nx = '\xe9'; SERIAL = 7\n",
        b"# coding: utf-7\nSERIAL = 7\n",
        b"SERIAL = 7 # \xe9\n",
    ],
)
def test_another_encoding_is_refused(source: bytes) -> None:
    """As it is for SECRETS: where a number stands in the bytes would be another place."""
    for read in (sealed.serial, serial.raised):
        with pytest.raises(LuggageError, match=r"config module 'c\.py': .*(utf-8|UTF-8|encoding)"):
            read(source, "c.py")


def test_there_is_a_highest_serial() -> None:
    """2^63 - 1, as a manifest holds."""
    source = b"SERIAL = %d\n" % (2**63 - 1)
    assert sealed.serial(source, "c.py") == 2**63 - 1
    with pytest.raises(LuggageError, match="the highest"):
        serial.raised(source, "c.py")


def test_none_is_none() -> None:
    """A name that only looks like it, or stands in a text, states none."""
    assert (
        sealed.serial(
            b"from os import *\nserial = 7\nx = 'SERIAL = 7'\n# SERIAL = 7\nprint(SERIAL)\n", "c"
        )
        is None
    )
