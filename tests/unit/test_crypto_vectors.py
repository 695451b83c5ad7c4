"""The vectors of tests/vectors, opened by luggage and by the second decoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from luggage import proof
from luggage.configfile import grammar
from luggage.configfile.module import ConfigError
from luggage.crypto import Secret, SecretError, envelope, keys, signing
from luggage.crypto.envelope import Context
from luggage.proof import canonical, seal, signature, tree
from tests import decoder

FOLDER = Path(__file__).parent.parent / "vectors"
FILES = sorted(FOLDER.glob("*.txt"))
Facts = dict[str, Any]


def read(path: Path) -> tuple[dict[str, str], bytes]:
    head, _, body = path.read_bytes().partition(b"\n\n")
    words = dict(line.split(": ", 1) for line in (head.decode("ascii") + "\n").splitlines())
    return words, body


def by_luggage(words: dict[str, str], body: bytes) -> Facts:
    if words["kind"] == "config":
        read = grammar.read(body).environments
        return {"secrets": sorted(f"{e}/{n}" for e in read for n in read[e].values)}
    if words["kind"] == "manifest":
        told = proof.parse(body)
        sealed = sum(map(len, told.sealed.values()))
        return {"lists": [len(told.files), len(told.wheels), sealed], "again": proof.dump(told)}
    if words["kind"] == "listing":
        kinds = [entry.kind for entry in tree.parse(body)]
        return {"lists": [kinds.count(it) for it in ("dir", "file", "link")]}
    if words["kind"] == "seal":
        stated = seal.parse(body)
        return {"lists": [len(stated.layers), len(stated.debian), len(stated.sbom)]}
    if words["kind"] == "signature":
        verify = signing.VerifyKey(bytes.fromhex(words["verify-key"]))
        signature.check(body, bytes.fromhex(words["signature"]), verify)
        return {}
    text = body.decode()
    if words["kind"] == "key" and words["wanted"] in ("signing", "verify"):
        if words["wanted"] == "signing":
            found = signing.parse_signing(Secret(text)).public
        else:
            found = signing.parse_verify(text)
        return {"verify-key": found.raw.hex(), "key-id": found.id}
    if words["kind"] == "key" and words["wanted"] == "public":
        public = keys.parse_public(text)
        return {"public-key": public.dump(), "key-id": public.id}
    if words["kind"] in ("key", "bundle"):
        bundle = keys.parse_keys(Secret(text))
        return {
            "public-key": " ".join(key.public.dump() for key in bundle.keys),
            "key-id": bundle.keys[0].public.id,
            "verify-key": bundle.verify_key.hex() if bundle.verify_key else None,
            "minimum-serial": bundle.minimum_serial,
            "text": bundle.dump().reveal() if words["kind"] == "bundle" else None,
        }
    key = keys.parse_keys(Secret(words["key"])).keys[0]
    place = Context(
        words["project"],
        words["environment"],
        words["name"],
        keys.parse_public(words["public-key"]),
        int(words["epoch"]),
    )
    return {"value": envelope.unseal(text, key, place).reveal()}


def by_decoder(words: dict[str, str], body: bytes) -> Facts:
    if words["kind"] == "config":
        found = decoder.config(body)
        return {"secrets": sorted(f"{e}/{n}" for e in found for n in found[e])}
    if words["kind"] == "manifest":
        told = decoder.manifest(body)
        sealed = sum(map(len, told["sealed"].values()))
        return {"lists": [len(told["files"]), len(told["wheels"]), sealed], "again": body}
    if words["kind"] == "listing":
        kinds = decoder.listing(body)
        return {"lists": [kinds.count(it) for it in ("dir", "file", "link")]}
    if words["kind"] == "seal":
        return {"lists": [len(it) for it in decoder.seal(body).values()]}
    if words["kind"] == "signature":
        signed, verify = (bytes.fromhex(words[it]) for it in ("signature", "verify-key"))
        decoder.signature(body, signed, verify)
        return {}
    text = body.decode()
    if words["kind"] == "key" and words["wanted"] in ("signing", "verify"):
        reader = decoder.signing_key if words["wanted"] == "signing" else decoder.verify_key
        raw = reader(text)
        return {"verify-key": raw.hex(), "key-id": decoder.key_id(raw)}
    if words["kind"] == "key" and words["wanted"] == "public":
        raw = decoder.public_key(text)
        return {"public-key": text, "key-id": decoder.key_id(raw)}
    if words["kind"] in ("key", "bundle"):
        private, verify, serial = (
            decoder.bundle(text)
            if words["kind"] == "bundle"
            else ([decoder.private_key(text)], None, None)
        )
        return {
            "public-key": " ".join(public_text(bytes(key.public_key)) for key in private),
            "key-id": decoder.key_id(bytes(private[0].public_key)),
            "verify-key": verify.hex() if verify else None,
            "minimum-serial": serial,
            "text": text if words["kind"] == "bundle" else None,
        }
    place = (words["project"], words["environment"], words["name"])
    kind, value, data = decoder.envelope(
        text, words["key"], place, words["public-key"], int(words["epoch"])
    )
    assert (words.get("type"), words.get("value")) == (kind, data.hex())
    return {"value": value}


def public_text(raw: bytes) -> str:
    checked = raw + decoder.blake(b"lugpub1." + raw)[:4]
    return "lugpub1." + decoder.base64.urlsafe_b64encode(checked).decode()


def outcome(reader: Callable[..., Facts], words: dict[str, str], body: bytes) -> tuple[str, Facts]:
    try:
        return "success", reader(words, body)
    except (SecretError, canonical.FormError) as error:
        return error.reason, {}
    except ConfigError:
        return "config", {}
    except decoder.RefusedError as error:
        return error.args[0], {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_both_decoders_find_what_the_vector_says(path: Path) -> None:
    """docs/format.md alone is enough to read the formats: two decoders agree on every reason."""
    words, body = read(path)
    one, two = outcome(by_luggage, words, body), outcome(by_decoder, words, body)
    assert (words["expect"], words["expect"]) == (one[0], two[0])
    assert one == two
    for word in ("public-key", "key-id", "verify-key", "minimum-serial"):
        if words["kind"] in ("key", "bundle") and word in words:
            assert words[word] == str(one[1][word])
    if words["kind"] == "config" and words["expect"] == "success":
        assert words["secrets"].split() == one[1]["secrets"]
    if "lists" in words and words["expect"] == "success":
        assert words["lists"] == " ".join(map(str, one[1]["lists"]))


def test_there_are_enough_vectors_of_every_kind_and_reason() -> None:
    """Every reason that docs/format.md §11 lists has a vector, and every kind one that passes."""
    heads = [read(path)[0] for path in FILES]
    table = (FOLDER.parent.parent / "docs" / "format.md").read_text("utf-8").split("| reason |")[1]
    reasons = {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")}
    assert reasons == {head["expect"] for head in heads} - {"success"}
    passing = {head["kind"] for head in heads if head["expect"] == "success"}
    kinds = {"key", "bundle", "envelope", "config", "manifest", "listing", "seal", "signature"}
    assert kinds == passing
    assert len(FILES) >= 200
