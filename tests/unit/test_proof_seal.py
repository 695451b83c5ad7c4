"""luggage.proof.seal and signature: what belongs together, and who says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from sealed_trees import D, described

from luggage.crypto import signing
from luggage.errors import LuggageError
from luggage.proof import manifest, seal, signature
from luggage.proof.seal import Seal, SealError

SEAL = Seal(
    described(),
    D,
    {"app": D, "deps": D, "luggage": D, "root": D},
    {"base-files": "13.8+deb13u1", "libc6": "2.41-12", "libstdc++6": "14.2.0-19"},
    {"pex": D, "image": D},
)
TEXT = seal.dump(SEAL)


def test_dump_and_parse_are_a_pair() -> None:
    """Canonical JSON, which holds the whole manifest as its own bytes say it."""
    assert seal.parse(TEXT) == SEAL
    assert TEXT.endswith(b"\n")
    assert b'"manifest":' + manifest.dump(SEAL.manifest)[:-1] + b"," in TEXT
    assert json.loads(TEXT)["format"] == "luggage-seal-v1"
    pex = Seal(described(), D, {}, {}, {"pex": D})
    assert seal.parse(seal.dump(pex)) == pex


MANIFEST = json.loads(TEXT)["manifest"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("pex", D[1:]),
        ("pex", None),
        ("layers", {"App": D}),
        ("layers", {"app": D.upper()}),
        ("layers", []),
        ("debian", {"Libc": "1"}),
        ("debian", {"libc6": ""}),
        ("debian", {"libc6": "v1"}),
        ("debian", {"libc6": "1_1"}),
        ("sbom", {"pex": D}),
        ("sbom", {"image": D}),
        ("sbom", {"pex": D, "image": D, "more": D}),
        ("layers", {}),
        ("manifest", {}),
        ("manifest", "x"),
        ("manifest", MANIFEST | {"project": "Example"}),
        ("manifest", MANIFEST | {"format": "luggage-manifest-v2"}),
    ],
)
def test_a_member_outside_its_grammar_is_refused(member: str, value: Any) -> None:
    """Each member has its grammar; an SBOM of the image stands where layers do."""
    data = json.dumps(json.loads(TEXT) | {member: value}, sort_keys=True, separators=(",", ":"))
    with pytest.raises(SealError, match="seal: ") as caught:
        seal.parse(data.encode() + b"\n")
    assert caught.value.reason == "seal"


def test_packages_without_layers_are_refused() -> None:
    """A pex brings nothing of Debian's."""
    with pytest.raises(SealError, match="yet no layers"):
        seal.dump(replace(SEAL, layers={}, sbom={"pex": D}))


@pytest.mark.parametrize(
    "data",
    [
        TEXT[:-1],
        TEXT + b"\n",
        TEXT.replace(b'","', b'", "', 1),
        TEXT.replace(b'"dirty":false', b'"dirty":false,"dirty":false'),
        TEXT.replace(b'"serial":7', b'"serial":7.0'),
        b"{}\n",
        b"",
    ],
)
def test_another_encoding_of_the_same_is_refused(data: bytes) -> None:
    """One seal, one text, one signature."""
    with pytest.raises(SealError):
        seal.parse(data)


def test_an_unknown_version_is_refused_as_such() -> None:
    """A later format is not guessed at."""
    with pytest.raises(SealError, match="luggage-seal-v2' is unknown") as caught:
        seal.parse(TEXT.replace(b"seal-v1", b"seal-v2"))
    assert caught.value.reason == "version"


def test_a_signature_is_by_one_key_of_one_seal() -> None:
    """64 bytes, always the same ones; another key, another byte, another length do not do."""
    key, other = signing.generate(), signing.generate()
    made = signature.sign(TEXT, key)
    assert (len(made), made) == (64, signature.sign(TEXT, key))
    signature.check(TEXT, made, key.public)
    refused = [
        (TEXT, made, other.public),
        (TEXT[:-1], made, key.public),
        (TEXT, made[:-1], key.public),
        (TEXT, made + b"\0", key.public),
        (TEXT, b"", key.public),
        (TEXT, made, signing.VerifyKey(bytes(32))),
        (TEXT, made, signing.VerifyKey(b"\xff" * 32)),
    ]
    for data, signed, verify in refused:
        with pytest.raises(signature.SignatureError, match="signature: "):
            signature.check(data, signed, verify)
    for at in range(0, 512, 7):
        flipped = bytearray(made)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(signature.SignatureError):
            signature.check(TEXT, bytes(flipped), key.public)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"dirty": True}, "dirty: what was packed differs from the commit c0c0c0c0c0c0"),
        ({"dirty": True, "commit": None}, "its sources are of no commit"),
    ],
)
def test_what_nobody_can_make_again_is_not_signed(changed: dict[str, Any], told: str) -> None:
    """A dirty tree, and one without a commit."""
    dirty = seal.dump(replace(SEAL, manifest=replace(SEAL.manifest, **changed)))
    with pytest.raises(LuggageError, match=told):
        signature.sign(dirty, signing.generate())


def test_what_is_no_seal_is_not_signed() -> None:
    """A signing key signs seals and nothing else."""
    with pytest.raises(SealError):
        signature.sign(b"anything", signing.generate())
