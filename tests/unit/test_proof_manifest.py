"""luggage.proof.manifest: one encoding (docs/format.md, §6)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from luggage.errors import LuggageError
from luggage.proof import manifest
from luggage.proof.manifest import Manifest, Wheel

ROOT = Path(__file__).parents[2]
D = "0123456789abcdef" * 4
W = "a-1-py3-none-any.whl"

MANIFEST = Manifest(
    project="example",
    commit="a" * 40,
    dirty=False,
    entry="example_deploy",
    python="3.13.5",
    platform="linux-x86_64",
    lock=D,
    tools={"pex": "2.105.2"},
    wheels=(Wheel("flask", "3.1.3", "flask-3.1.3-py3-none-any.whl", D),),
    files={"example_app/é.py": D},
    sealed={"demo": {"LINES_API_KEY": D}},
    serial=None,
)

TEXT = (
    '{"commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","dirty":false,"entry":"example_deploy",'
    f'"files":{{"example_app/\\u00e9.py":"{D}"}},"format":"luggage-manifest-v1","lock":"{D}",'
    '"platform":"linux-x86_64","project":"example","python":"3.13.5",'
    f'"sealed":{{"demo":{{"LINES_API_KEY":"{D}"}}}},"serial":null,"tools":{{"pex":"2.105.2"}},'
    f'"wheels":[{{"file":"flask-3.1.3-py3-none-any.whl","name":"flask","sha256":"{D}",'
    '"version":"3.1.3"}]}\n'
).encode()


def test_dump_and_parse_are_a_pair() -> None:
    """The literal bytes, and back."""
    assert manifest.dump(MANIFEST) == TEXT
    assert manifest.parse(TEXT) == MANIFEST


@pytest.mark.parametrize(
    "data",
    [
        TEXT[:-1],
        TEXT + b"\n",
        TEXT.replace(b'","', b'", "', 1),
        TEXT.replace(b"\\u00e9", b"\\u00E9"),
        TEXT.replace(b"\\u00e9", "é".encode()),
        TEXT.replace(b'"dirty":false', b'"dirty":false,"dirty":false'),
        TEXT.replace(b'"serial":null', b'"serial":1.0'),
        TEXT.replace(b'"serial":null', b'"serial":1e0'),
        TEXT.replace(b"linux", b"linu\\u0078"),
        b"\xef\xbb\xbf" + TEXT,
        b"[" * 100_000,
        b"[]\n",
        b"{}\n",
        b"",
        json.dumps(json.loads(TEXT), indent=1).encode() + b"\n",
    ],
)
def test_another_encoding_of_the_same_is_refused(data: bytes) -> None:
    """Canonical form, to the last byte."""
    with pytest.raises(LuggageError, match="manifest: "):
        manifest.parse(data)


def test_an_unknown_version_is_refused_as_such() -> None:
    """A later format is not guessed at."""
    with pytest.raises(LuggageError, match="luggage-manifest-v2' is unknown"):
        manifest.parse(TEXT.replace(b"manifest-v1", b"manifest-v2"))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("project", "Example"),
        ("commit", "abc"),
        ("commit", "A" * 40),
        ("dirty", 0),
        ("entry", "example-deploy"),
        ("python", "3.13"),
        ("python", "03.13.5"),
        ("python", "3.13.5;x"),
        ("platform", ""),
        ("platform", "linux x86"),
        ("tools", {"pex": ""}),
        ("tools", {"pex": "1 2"}),
        ("lock", D[1:]),
        ("tools", {"Pex": "1"}),
        ("tools", []),
        ("wheels", [{"name": "a", "version": "1", "file": W}]),
        ("wheels", [{"name": "a", "version": "1", "file": "../a-1-py3-none-any.whl", "sha256": D}]),
        ("wheels", [{"name": n, "version": "1", "file": W, "sha256": D} for n in "ba"]),
        ("wheels", [{"name": n, "version": "1", "file": W, "sha256": D} for n in "aa"]),
        ("files", {"/a": D}),
        ("files", {"a/../b": D}),
        ("files", {"a//b": D}),
        ("files", {"a": D.upper()}),
        ("files", {"": D}),
        ("files", {"a\\b": D}),
        ("files", {"a\nb": D}),
        ("files", {"a\0b": D}),
        ("files", {"a\x9bb": D}),
        ("files", {"a\ud800b": D}),
        ("files", {"luggage-manifest.json": D}),
        ("wheels", [{"name": "a", "version": "1", "file": "a-1-py3-none-any.zip", "sha256": D}]),
        ("commit", None),
        ("sealed", {"demo": {"lines": D}}),
        ("sealed", {"Demo": {}}),
        ("serial", 0),
        ("serial", True),
        ("serial", 2**63),
    ],
)
def test_a_member_outside_its_grammar_is_refused(member: str, value: Any) -> None:
    """Each member has its grammar; the error names the member, when read and when written."""
    members = json.loads(TEXT) | {member: value}
    data = json.dumps(members, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with pytest.raises(LuggageError, match=member):
        manifest.parse(data)


def test_missing_and_unknown_members_are_named() -> None:
    """Exactly these members."""
    members = json.loads(TEXT) | {"extra": 1}
    del members["lock"]
    with pytest.raises(LuggageError, match="missing or unknown: extra, lock"):
        manifest.parse(json.dumps(members).encode())


def test_what_could_not_be_read_again_is_not_written() -> None:
    """dump refuses what parse would."""
    with pytest.raises(LuggageError, match="commit"):
        manifest.dump(replace(MANIFEST, commit="HEAD"))


def test_names_are_sorted_by_code_point_and_may_hold_any_text() -> None:
    """Not by UTF-16, where a character beyond U+FFFF comes before U+FB01."""
    made = replace(MANIFEST, files={"\U0001f511": D, "\ufb01": D, 'a"b': D, "A b": D, "z": D})
    data = manifest.dump(made)
    assert manifest.parse(data) == made
    names = (b'"A b"', rb'"a\"b"', b'"z"', rb'"\ufb01"', rb'"\ud83d\udd11"')
    assert [data.index(name) for name in names] == sorted(data.index(name) for name in names)


def test_it_has_a_size() -> None:
    """Longer than 16 MiB is refused before it is read, and is not written."""
    with pytest.raises(LuggageError, match="larger than 16 MiB"):
        manifest.parse(TEXT + b" " * 2**24)
    with pytest.raises(LuggageError, match="larger than 16 MiB"):
        manifest.dump(replace(MANIFEST, files={str(n): D for n in range(240_000)}))


def test_it_needs_the_standard_library_alone() -> None:
    """Packing reads and writes it with the packing tools and nothing else."""
    code = (
        "import sys; sys.modules['nacl'] = None; import luggage.buildpex.artifact, luggage.proof;"
        "print([name for name in sys.modules if name.startswith('luggage.crypto')])"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
