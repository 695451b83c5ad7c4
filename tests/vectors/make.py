"""Fixed keys → the files of this folder that are not there yet (docs/format.md §11).

The files are the authority, not this script: sealed boxes are random. It needs PyNaCl alone and
shares nothing with luggage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path

from nacl import bindings

HERE = Path(__file__).parent
LABEL = b"luggage-secret-v1\n"
BUNDLE_LABEL = b"luggage-bundle-v1\n"
PRIME = 2**255 - 19
# https://cr.yp.to/ecdh.html#validate, and as in Wycheproof's x25519 files
LOW_ORDER = {
    "zero": "00" * 32,
    "one": "01" + "00" * 31,
    "order8a": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "order8b": "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "minus-one": "ec" + "ff" * 30 + "7f",
}
NOT_CANONICAL = {
    "prime": "ed" + "ff" * 30 + "7f",
    "prime-plus-one": "ee" + "ff" * 30 + "7f",
    "nine-top-bit": "09" + "00" * 30 + "80",
    "all-ones": "ff" * 32,
    "order8a-top-bit": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def text_of(prefix: str, raw: bytes) -> str:
    return prefix + b64(raw + digest(prefix.encode() + raw)[:4])


class Pair:
    def __init__(self, label: str) -> None:
        self.secret = hashlib.sha256(b"luggage vector " + label.encode()).digest()
        self.raw = bindings.crypto_scalarmult_base(self.secret)
        self.public = text_of("lugpub1.", self.raw)
        self.private = text_of("lugkey1.", self.secret)
        self.id = b64(digest(self.raw)[:8])


DEMO, PROD, OLD = Pair("demo"), Pair("prod"), Pair("old")
SEED = hashlib.sha256(b"luggage vector signing").digest()
VERIFY = hashlib.sha256(b"luggage vector verify").digest()


def field(data: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I", len(data) if size is None else size) + data


def payload(
    value: bytes = b"veiled",
    kind: bytes = b"text",
    project: bytes = b"example",
    environment: bytes = b"demo",
    name: bytes = b"LINES_API_KEY",
    public: bytes = DEMO.raw,
    epoch: bytes = struct.pack(">Q", 1),
    label: bytes = LABEL,
    pad: bool = True,
) -> bytes:
    fields = (project, environment, name, public, epoch, kind, value)
    built = label + b"".join(field(part) for part in fields)
    return built + bytes(-len(built) % 64) if pad else built


def sealed(inside: bytes, pair: Pair = DEMO) -> str:
    return f"lug1.{pair.id}.{b64(bindings.crypto_box_seal(inside, pair.raw))}"


def write(
    file: str, comment: str, kind: str, expect: str, body: str | bytes, /, **head: object
) -> None:
    path = HERE / f"{file}.txt"
    if path.exists():
        return
    words = {"comment": comment, "kind": kind, "expect": expect}
    words |= {word.replace("_", "-"): str(value) for word, value in head.items()}
    lines = "".join(f"{word}: {value}\n" for word, value in words.items())
    data = body if isinstance(body, bytes) else body.encode()
    path.write_bytes(lines.encode("ascii") + b"\n" + data)


def envelope(file: str, comment: str, expect: str, body: str, /, **head: object) -> None:
    asked: dict[str, object] = {
        "project": "example",
        "environment": "demo",
        "name": "LINES_API_KEY",
        "epoch": 1,
        "public_key": DEMO.public,
        "key": DEMO.private,
    }
    write(f"envelope-{file}", comment, "envelope", expect, body, **(asked | head))


def flip(text: str, at: int) -> str:
    """Another character of the alphabet at `at`, its last bit kept."""
    other = "B" if text[at] != "B" else "D"
    return text[:at] + other + text[at + 1 :]


def opens(name: str, kind: str, value: bytes) -> None:
    body = sealed(payload(value, kind.encode()))
    envelope(name, f"a value of type {kind}", "success", body, type=kind, value=value.hex())


def envelopes() -> None:
    opens("text", "text", b"veiled")
    opens("text-empty", "text", b"")
    opens("text-utf8", "text", "pässwörd – 🔑\n".encode())
    opens("bytes", "bytes", bytes(range(256)))
    opens("bytes-longest", "bytes", b"\x5a" * 65_536)
    opens("json", "json", b' {"a": [1, -0.5e3, null, "\\ud83d\\udd11"], "b": {}} ')
    opens("json-deepest", "json", b"[" * 64 + b"]" * 64)
    opens("url", "url", b"postgres://user:pass@db.example:5432/app?sslmode=require")
    opens("text-nul", "text", b"a\0b\n")
    opens("text-bom", "text", b"\xef\xbb\xbfa")
    opens("text-last-character", "text", "\U0010ffff".encode())
    opens("json-proto", "json", b'{"__proto__": 1, "constructor": {"__proto__": null}}')
    opens("json-digits-most", "json", b"-" + b"9" * 300)
    opens("json-nearly-nothing", "json", b"1e-999")
    opens("json-line-separator", "json", '"\u2028"'.encode())
    opens("url-shortest", "url", b"a:b")
    for file, epoch in {"most": 2**63 - 1, "odd": 2**53 + 1}.items():
        envelope(
            f"epoch-{file}",
            "an epoch that a binary64 number does not hold",
            "success",
            sealed(payload(epoch=struct.pack(">Q", epoch))),
            type="text",
            value=b"veiled".hex(),
            epoch=epoch,
        )
    envelope(
        "epoch-even",
        "an epoch one less than the one asked for, above 2^53",
        "context",
        sealed(payload(epoch=struct.pack(">Q", 2**53))),
        epoch=2**53 + 1,
    )
    head = len(payload(b"", pad=False))
    opens("padding-none", "text", b"x" * (-head % 64))
    opens("padding-one", "text", b"x" * (-head % 64 - 1 if -head % 64 else 63))
    opens("padding-most", "text", b"x" * (-head % 64 + 1))

    good = sealed(payload())
    _, key_id, box = good.split(".")
    raw = base64.urlsafe_b64decode(box + "=" * (-len(box) % 4))
    bad = {
        "flipped-tag": (
            "box",
            flip(good, len("lug1.") + 12 + 50),
            "one character of the tag changed",
        ),
        "flipped-ephemeral": (
            "box",
            flip(good, len("lug1.") + 12 + 3),
            "the ephemeral key changed",
        ),
        "flipped-end": ("box", flip(good, len(good) - 4), "one character near the end changed"),
        "truncated": ("box", f"lug1.{key_id}.{b64(raw[:-3])}", "the last three bytes are missing"),
        "appended": ("box", f"lug1.{key_id}.{b64(raw + bytes(3))}", "three bytes too many"),
        "empty-box": ("box", f"lug1.{key_id}.", "no sealed box at all"),
        "short-box": ("box", f"lug1.{key_id}.{b64(bytes(47))}", "shorter than any sealed box"),
        "low-order-ephemeral": (
            "box",
            f"lug1.{key_id}.{b64(bytes(240))}",
            "an ephemeral key of zeros",
        ),
        "padded-base64": ("shape", good + "=", "base64 with padding"),
        "standard-base64": ("shape", good[:-1] + "+", "the alphabet of standard base64"),
        "white-space": ("shape", good[:40] + " " + good[40:], "a space inside"),
        "line-feed": ("shape", good + "\n", "a line feed at the end"),
        "one-part-more": ("shape", good + ".AAAA", "four parts"),
        "one-part-less": ("shape", f"lug1.{box}", "two parts"),
        "key-id-short": ("shape", f"lug1.{key_id[:-1]}.{box}", "a key id of ten characters"),
        "key-id-eight": ("shape", f"lug1.{key_id[:8]}.{box}", "a key id of eight characters"),
        "key-id-loose-bits": ("shape", f"lug1.{loose(key_id)}.{box}", "unused bits in the key id"),
        "upper-case-prefix": ("plaintext", "LUG1" + good[4:], "the prefix in upper case"),
        "plaintext": ("plaintext", "veiled", "a value that was never sealed"),
        "empty": ("plaintext", "", "an empty text"),
        "leading-space": ("plaintext", " " + good, "a space before"),
        "boredbot": ("plaintext", b64(bytes(range(100))), "base64 alone, as boredbot wrote"),
        "version-2": ("version", "lug2" + good[4:], "a later version"),
        "version-01": ("version", "lug01" + good[4:], "a version with a leading zero"),
        "too-long": ("size", good + "A" * 90_001, "longer than 90,000 characters"),
        "prefix-alone": ("shape", "lug1.", "the prefix and nothing after it"),
        "prefix-no-dot": ("plaintext", "lug1", "the prefix without its dot"),
        "version-none": ("plaintext", "lug" + good[4:], "no digit of a version"),
        "version-0": ("version", "lug0" + good[4:], "version 0"),
        "version-full-width": ("plaintext", "lug\uff11" + good[4:], "a full-width digit"),
        "key-id-empty": ("shape", f"lug1..{box}", "no key id"),
        "key-id-case": (
            "key-id",
            f"lug1.{key_id[:-1].swapcase()}{key_id[-1]}.{box}",
            "letters of the other case",
        ),
        "length-1-modulo-4": ("shape", f"lug1.{key_id}.AAAAA", "a length no base64 has"),
        "tab": ("shape", good[:40] + "\t" + good[40:], "a tab inside"),
        "nul": ("shape", good + "\0", "a NUL at the end"),
        "cyrillic": ("shape", good[:40] + "\u0410" + good[41:], "a letter that looks like A"),
        "percent": ("shape", good[:-1] + "%3D", "percent-encoded"),
        "byte-order-mark": ("plaintext", "\ufeff" + good, "a byte order mark before"),
        "quoted": ("plaintext", f'"{good}"', "quotes around"),
        "doubled": ("shape", good + good, "the text twice"),
        "longest": (
            "box",
            f"lug1.{key_id}." + b64(bytes(67_487)),
            "of exactly 90,000 characters, which is not too long",
        ),
        "astral": (
            "shape",
            "lug1." + "\U0001f511" * 45_001,
            "fewer than 90,000 characters, but more than 90,000 UTF-16 units",
        ),
        "ephemeral-top-bit": (
            "box",
            f"lug1.{key_id}." + b64(raw[:31] + bytes([raw[31] ^ 0x80]) + raw[32:]),
            "the unused bit of the ephemeral key changed: the same point, another text",
        ),
        "ephemeral-alone": ("box", f"lug1.{key_id}.{b64(raw[:32])}", "no box behind its key"),
        "no-ephemeral": ("box", f"lug1.{key_id}.{b64(raw[32:])}", "no key before the box"),
        "other-key-id": ("key-id", f"lug1.{PROD.id}.{box}", "the key id of another key"),
        "other-environments-value": (
            "key-id",
            sealed(payload(environment=b"prod", public=PROD.raw), PROD),
            "the value of another environment, moved here",
        ),
        "relabelled": (
            "box",
            f"lug1.{DEMO.id}." + sealed(payload(), PROD).split(".")[2],
            "sealed to another key, under this key's id",
        ),
    }
    for name, (expect, body, comment) in bad.items():
        envelope(name, comment, expect, body)
    short = sealed(payload(b"x" * (-head % 64)))
    assert len(short.split(".")[2]) % 4
    envelope("loose-bits", "unused trailing bits are not zero", "shape", loose(short))
    envelope(
        "other-key", "the private key of another environment", "no-match", good, key=PROD.private
    )

    inside = {
        "name": ("context", payload(name=b"MOOD_API_KEY"), "sealed for another name"),
        "environment": ("context", payload(environment=b"prod"), "sealed for another environment"),
        "project": ("context", payload(project=b"shop"), "sealed for another project"),
        "epoch": ("context", payload(epoch=struct.pack(">Q", 2)), "sealed for another epoch"),
        "epoch-short": ("context", payload(epoch=struct.pack(">I", 1)), "an epoch of four bytes"),
        "public-key": ("context", payload(public=PROD.raw), "says that it is for another key"),
        "name-lower": ("context", payload(name=b"lines_api_key"), "the name in lower case"),
        "name-nul": ("context", payload(name=b"LINES_API_KEY\0"), "the name with a NUL after it"),
        "epoch-little-endian": (
            "context",
            payload(epoch=struct.pack("<Q", 1)),
            "the epoch's bytes the other way round",
        ),
        "epoch-zero": ("context", payload(epoch=bytes(8)), "epoch 0"),
        "project-empty": ("context", payload(project=b""), "no project"),
        "names-joined": (
            "context",
            payload(project=b"exampl", environment=b"edemo"),
            "a letter moved from one field to the next",
        ),
        "names-swapped": (
            "context",
            payload(project=b"demo", environment=b"example"),
            "project and environment the other way round",
        ),
        "public-key-text": ("context", payload(public=DEMO.public.encode()), "the key as a text"),
        "label-v2": ("version", payload(label=b"luggage-secret-v2\n"), "a later payload"),
        "label-none": ("payload", payload(label=b""), "no label"),
        "label-other": ("payload", payload(label=b"luggage-bundle-v1\n"), "the label of a bundle"),
        "nothing": ("payload", b"", "an empty payload"),
        "label-alone": ("payload", LABEL, "nothing but the label"),
        "field-missing": (
            "payload",
            payload(pad=False)[: -len(field(b"veiled"))],
            "no value, and no padding that could pass for one",
        ),
        "field-more": ("payload", padded(payload(pad=False) + field(b"more")), "an eighth field"),
        "field-overlong": (
            "payload",
            padded(payload(pad=False)[:-10] + field(b"veiled", 4096)),
            "the value's length points past the end",
        ),
        "length-largest": (
            "payload",
            padded(payload(pad=False)[:-10] + field(b"veiled", 2**32 - 1)),
            "a length that is -1 in 32 bits with a sign",
        ),
        "length-little-endian": (
            "payload",
            padded(payload(pad=False)[:-10] + struct.pack("<I", 6) + b"veiled"),
            "a length's bytes the other way round",
        ),
        "length-one-less": (
            "payload",
            padded(payload(pad=False)[:-10] + field(b"veiled", 5)),
            "the value's last byte counted as padding",
        ),
        "padding-not-zero": ("payload", payload()[:-1] + b"\x01", "the last byte of padding is 1"),
        "padding-missing": ("payload", payload(pad=False), "no padding"),
        "padding-too-long": ("payload", payload() + bytes(64), "64 bytes of padding too many"),
        "value-too-long": ("payload", payload(bytes(65_537), b"bytes"), "a value of 65,537 bytes"),
        "type-unknown": ("type", payload(kind=b"yaml"), "a type nobody knows"),
        "type-empty": ("type", payload(kind=b""), "no type"),
        "type-nul": ("type", payload(kind=b"text\0"), "a type with a NUL after it"),
        "type-prototype": ("type", payload(kind=b"constructor"), "a word that objects know"),
        "type-upper": ("type", payload(kind=b"TEXT"), "a type in upper case"),
        "text-not-utf8": ("value", payload(b"\xff\xfe"), "text that is not UTF-8"),
        "text-surrogate": ("value", payload(b"\xed\xa0\x80"), "a surrogate in UTF-8"),
        "text-overlong": ("value", payload(b"\xc0\xaf"), "an overlong form"),
        "text-beyond": ("value", payload(b"\xf4\x90\x80\x80"), "beyond the last character"),
        "text-cut": ("value", payload(b"a\xe2\x82"), "UTF-8 cut within a character"),
        "json-leading-zero": ("value", payload(b"01", b"json"), "a number with a leading zero"),
        "json-plus": ("value", payload(b"+1", b"json"), "a number with a plus"),
        "json-point": ("value", payload(b"1.", b"json"), "a point and nothing after it"),
        "json-comma": ("value", payload(b"[1,]", b"json"), "a comma too many"),
        "json-comment": ("value", payload(b"1 // one", b"json"), "a comment"),
        "json-quotes": ("value", payload(b"'a'", b"json"), "single quotes"),
        "json-control": ("value", payload(b'"a\nb"', b"json"), "a line feed in a string"),
        "json-escape": ("value", payload(b'"\\x61"', b"json"), "an escape JSON does not have"),
        "json-form-feed": ("value", payload(b"\x0c1", b"json"), "white space JSON does not have"),
        "json-no-break-space": ("value", payload(b"\xc2\xa01", b"json"), "a no-break space"),
        "json-two": ("value", payload(b"1 2", b"json"), "two texts"),
        "json-nul": ("value", payload(b"1\0", b"json"), "a NUL after it"),
        "json-upper": ("value", payload(b"True", b"json"), "true as Python writes it"),
        "json-proto-twice": (
            "value",
            payload(b'{"__proto__":1,"__proto__":2}', b"json"),
            "a member twice that objects hide",
        ),
        "json-name-surrogate": (
            "value",
            payload(b'{"\\udc00":1}', b"json"),
            "half a surrogate pair in a name",
        ),
        "json-not-utf8": ("value", payload(b'"\xff"', b"json"), "JSON that is not UTF-8"),
        "json-broken": ("value", payload(b"{", b"json"), "half a JSON text"),
        "json-empty": ("value", payload(b"", b"json"), "no JSON text"),
        "json-twice": ("value", payload(b'{"a":1,"\\u0061":2}', b"json"), "a member twice"),
        "json-nan": ("value", payload(b"[NaN]", b"json"), "NaN"),
        "json-infinity": ("value", payload(b"-Infinity", b"json"), "minus infinity"),
        "json-too-large": ("value", payload(b"1e999", b"json"), "infinite as binary64"),
        "json-digits": ("value", payload(b"1" * 301, b"json"), "301 digits"),
        "json-bom": ("value", payload(b"\xef\xbb\xbf1", b"json"), "a byte order mark"),
        "json-deep": ("value", payload(b"[" * 65 + b"]" * 65, b"json"), "65 deep"),
        "json-surrogate": ("value", payload(b'"\\ud800"', b"json"), "half a surrogate pair"),
        "url-space": ("value", payload(b"http://a b", b"url"), "a space in a URL"),
        "url-digit-scheme": (
            "value",
            payload(b"1a:b", b"url"),
            "a scheme that starts with a digit",
        ),
        "url-delete": ("value", payload(b"a:b\x7f", b"url"), "a control character"),
        "url-tab": ("value", payload(b"a:\tb", b"url"), "a tab in a URL"),
        "url-no-scheme": ("value", payload(b"//host/path", b"url"), "a URL without a scheme"),
        "url-scheme-alone": ("value", payload(b"http:", b"url"), "a scheme and nothing after it"),
        "url-not-ascii": ("value", payload("http://ü".encode(), b"url"), "a URL that is not ASCII"),
        "url-line-feed": ("value", payload(b"http://a\n", b"url"), "a line feed after a URL"),
    }
    for name, (expect, built, comment) in inside.items():
        envelope(f"inside-{name}", comment, expect, sealed(built))


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 64)


def loose(text: str) -> str:
    """The last character with its lowest, unused bit set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def keys() -> None:
    write(
        "key-public",
        "a public key",
        "key",
        "success",
        DEMO.public,
        wanted="public",
        public_key=DEMO.public,
        key_id=DEMO.id,
    )
    write(
        "key-private",
        "a private key",
        "key",
        "success",
        DEMO.private,
        wanted="private",
        public_key=DEMO.public,
        key_id=DEMO.id,
    )
    zero = text_of("lugkey1.", bytes(32))
    public = bindings.crypto_scalarmult_base(bytes(32))
    write(
        "key-private-zero",
        "any 32 bytes are a private key",
        "key",
        "success",
        zero,
        wanted="private",
        public_key=text_of("lugpub1.", public),
        key_id=b64(digest(public)[:8]),
    )
    crossed = "lugpub1." + b64(DEMO.secret + digest(b"lugkey1." + DEMO.secret)[:4])
    verify, _ = bindings.crypto_sign_seed_keypair(SEED)
    for name, prefix, raw, comment in (
        ("signing", "lugsign1.", SEED, "a signing key"),
        ("verify", "lugverify1.", verify, "a verify key"),
    ):
        facts = {"verify_key": verify.hex(), "key_id": b64(digest(verify)[:8])}
        write(f"key-{name}", comment, "key", "success", text_of(prefix, raw), wanted=name, **facts)
    signing, verifying = text_of("lugsign1.", SEED), text_of("lugverify1.", verify)
    write(
        "key-verify-any",
        "a verify key that is no point of the curve: it verifies nothing",
        "key",
        "success",
        text_of("lugverify1.", b"\xff" * 32),
        wanted="verify",
        verify_key="ff" * 32,
        key_id=b64(digest(b"\xff" * 32)[:8]),
    )
    bad = {
        "signing-wanted": ("shape", "signing", DEMO.private, "a private key for a signing key"),
        "signing-for-private": ("shape", "private", signing, "a signing key for a private one"),
        "signing-for-verify": ("shape", "verify", signing, "a signing key for a verify key"),
        "verify-for-signing": ("shape", "signing", verifying, "a verify key for a signing key"),
        "verify-for-public": ("shape", "public", verifying, "a verify key for a public key"),
        "signing-checksum": ("checksum", "signing", flip(signing, 20), "one character changed"),
        "verify-checksum": ("checksum", "verify", flip(verifying, 20), "one character changed"),
        "signing-relabelled": (
            "checksum",
            "signing",
            "lugsign1." + DEMO.private[8:],
            "a private key, its prefix changed",
        ),
        "signing-short": ("shape", "signing", signing[:-1], "one character less"),
        "verify-line-feed": ("shape", "verify", verifying + "\n", "a line feed left"),
        "signing-version-2": ("version", "signing", "lugsign2" + signing[8:], "a later version"),
        "verify-version-01": (
            "version",
            "verify",
            "lugverify01" + verifying[10:],
            "a leading zero",
        ),
        "public-checksum": ("checksum", "public", flip(DEMO.public, 20), "one character changed"),
        "private-checksum": (
            "checksum",
            "private",
            flip(DEMO.private, 20),
            "one character changed",
        ),
        "private-relabelled": ("checksum", "public", crossed, "a private key, its prefix changed"),
        "public-short": ("shape", "public", DEMO.public[:-1], "one character less"),
        "public-long": ("shape", "public", DEMO.public + "A", "one character more"),
        "private-space": ("shape", "private", DEMO.private + " ", "a space at the end"),
        "private-standard": ("shape", "private", DEMO.private[:-1] + "/", "standard base64"),
        "private-line-feed": ("shape", "private", DEMO.private + "\n", "a line feed left"),
        "public-wanted": ("shape", "public", DEMO.private, "a private key for a public one"),
        "private-wanted": ("shape", "private", DEMO.public, "a public key for a private one"),
        "upper-case": ("shape", "public", DEMO.public.upper(), "all in upper case"),
        "empty": ("shape", "private", "", "an empty text"),
        "hex": ("shape", "private", DEMO.secret.hex(), "a raw key in hex"),
        "public-version-2": ("version", "public", "lugpub2" + DEMO.public[7:], "a later version"),
        "public-no-dot": ("shape", "public", DEMO.public.replace(".", "_"), "no dot"),
        "public-no-version": ("shape", "public", "lugpub" + DEMO.public[7:], "no version"),
        "public-version-01": ("version", "public", "lugpub01" + DEMO.public[7:], "a leading zero"),
        "private-of-bundle-2": (
            "version",
            "private",
            "lugbundle2" + DEMO.private[7:],
            "a later version of a key bundle",
        ),
        "public-space-before": ("shape", "public", " " + DEMO.public, "a space before"),
        "private-wide": (
            "shape",
            "private",
            DEMO.private[:-1] + "\uff21",
            "a full-width letter at the end",
        ),
        "public-checksum-of-other": (
            "checksum",
            "public",
            "lugpub1." + b64(DEMO.raw + digest(b"lugpub1." + PROD.raw)[:4]),
            "the checksum of another key",
        ),
        "public-checksum-of-raw": (
            "checksum",
            "public",
            "lugpub1." + b64(DEMO.raw + digest(DEMO.raw)[:4]),
            "a checksum without the prefix",
        ),
        "private-version-10": ("version", "private", "lugkey10" + DEMO.private[7:], "version 10"),
    }
    for name, (expect, wanted, body, comment) in bad.items():
        write(f"key-{name}", comment, "key", expect, body, wanted=wanted)
    for name, raw in LOW_ORDER.items():
        body = text_of("lugpub1.", bytes.fromhex(raw))
        write(
            f"key-low-order-{name}",
            "a point of low order",
            "key",
            "public-key",
            body,
            wanted="public",
        )
    for name, raw in NOT_CANONICAL.items():
        body = text_of("lugpub1.", bytes.fromhex(raw))
        write(
            f"key-not-canonical-{name}",
            "not below 2^255 - 19",
            "key",
            "public-key",
            body,
            wanted="public",
        )


def record(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + field(value)


def bundle(records: bytes, label: bytes = BUNDLE_LABEL) -> str:
    inside = label + records
    return "lugbundle1." + b64(inside + digest(b"lugbundle1." + inside)[:4])


def bundles() -> None:
    first, second = sorted((DEMO, OLD), key=lambda pair: pair.raw)
    both = record(1, first.secret) + record(1, second.secret)
    signed = record(2, VERIFY) + record(3, struct.pack(">Q", 7))
    write(
        "bundle-one",
        "one key",
        "bundle",
        "success",
        bundle(record(1, DEMO.secret)),
        public_key=DEMO.public,
    )
    write(
        "bundle-two",
        "two keys",
        "bundle",
        "success",
        bundle(both),
        public_key=f"{first.public} {second.public}",
    )
    write(
        "bundle-verify",
        "with a verify key",
        "bundle",
        "success",
        bundle(both + signed),
        public_key=f"{first.public} {second.public}",
        verify_key=VERIFY.hex(),
        minimum_serial=7,
    )
    eight = sorted((Pair(f"eight {n}") for n in range(8)), key=lambda pair: pair.raw)
    nine = sorted((Pair(f"eight {n}") for n in range(9)), key=lambda pair: pair.raw)
    write(
        "bundle-eight",
        "eight keys",
        "bundle",
        "success",
        bundle(b"".join(record(1, pair.secret) for pair in eight)),
        public_key=" ".join(pair.public for pair in eight),
    )
    write(
        "bundle-serial-most",
        "a minimum serial that a binary64 number does not hold",
        "bundle",
        "success",
        bundle(both + record(2, VERIFY) + record(3, struct.pack(">Q", 2**63 - 1))),
        public_key=f"{first.public} {second.public}",
        verify_key=VERIFY.hex(),
        minimum_serial=2**63 - 1,
    )
    good = bundle(both)
    serials = {"zero": 0, "over": 2**63}
    bad = {
        "empty": ("payload", bundle(b""), "no key"),
        "nine": ("payload", bundle(b"".join(record(1, p.secret) for p in nine)), "nine keys"),
        "order": (
            "payload",
            bundle(record(1, second.secret) + record(1, first.secret)),
            "unsorted",
        ),
        "twice": ("payload", bundle(record(1, DEMO.secret) * 2), "a key twice"),
        "tags-order": ("payload", bundle(signed + both), "the tags out of order"),
        "verify-alone": ("payload", bundle(both + record(2, VERIFY)), "a verify key, no serial"),
        "serial-alone": (
            "payload",
            bundle(both + record(3, struct.pack(">Q", 7))),
            "a serial, no verify key",
        ),
        "tag-unknown": ("payload", bundle(both + record(4, b"x")), "an unknown tag"),
        "key-short": ("payload", bundle(record(1, DEMO.secret[:31])), "a key of 31 bytes"),
        "cut": ("payload", bundle(both[:-1]), "the last record cut short"),
        "tag-zero": ("payload", bundle(record(0, DEMO.secret)), "tag 0"),
        "verify-short": (
            "payload",
            bundle(both + record(2, VERIFY[:31]) + record(3, struct.pack(">Q", 7))),
            "a verify key of 31 bytes",
        ),
        "serial-short": (
            "payload",
            bundle(both + record(2, VERIFY) + record(3, struct.pack(">I", 7))),
            "a serial of four bytes",
        ),
        "verify-twice": (
            "payload",
            bundle(both + record(2, VERIFY) * 2 + record(3, struct.pack(">Q", 7))),
            "two verify keys",
        ),
        "serial-twice": (
            "payload",
            bundle(both + signed + record(3, struct.pack(">Q", 8))),
            "two serials",
        ),
        "length-largest": (
            "payload",
            bundle(both + bytes([1]) + field(DEMO.secret, 2**32 - 1)),
            "a length that is -1 in 32 bits with a sign",
        ),
        "checksum-of-payload": (
            "checksum",
            "lugbundle1." + b64(BUNDLE_LABEL + both + digest(BUNDLE_LABEL + both)[:4]),
            "a checksum without the prefix",
        ),
        "bytes-left": ("payload", bundle(both + b"\0"), "a byte after the last record"),
        "label-other": ("payload", bundle(both, b"luggage-secret-v1\n"), "another label"),
        "label-v2": ("version", bundle(both, b"luggage-bundle-v2\n"), "a later payload"),
        "checksum": ("checksum", flip(good, 60), "one character changed"),
        "short": ("checksum", "lugbundle1.AAAA", "shorter than its checksum"),
        "padded": ("shape", good + "=", "base64 with padding"),
        "version-2": ("version", "lugbundle2" + good[10:], "a later version"),
        "too-long": ("size", good + "A" * 4096, "longer than 4,096 characters"),
    }
    for name, serial in serials.items():
        records = both + record(2, VERIFY) + record(3, struct.pack(">Q", serial))
        bad[f"serial-{name}"] = ("payload", bundle(records), "a serial out of range")
    for name, (expect, body, comment) in bad.items():
        write(f"bundle-{name}", comment, "bundle", expect, body)


CONFIG = """\
\"\"\"An example.\"\"\"

from luggage import crypto

SECRETS = crypto.Secrets(
    format=1,
    project="example",
    required=("LINES_API_KEY",),
    environments={{
        "demo": crypto.Environment(
            public_key="{demo}",
            epoch=1,
            values={{
                "LINES_API_KEY": "{lines}",
                "MOOD_API_KEY": "{mood}",
            }},
        ),
    }},
)
"""


def configs() -> None:
    lines, mood = sealed(payload()), sealed(payload(name=b"MOOD_API_KEY"))
    good = CONFIG.format(demo=DEMO.public, lines=lines, mood=mood)
    all_names = "demo/LINES_API_KEY demo/MOOD_API_KEY"

    def change(old: str, new: str, count: int = 1) -> str:
        assert old in good, old
        return good.replace(old, new, count)

    prod = f'"prod": crypto.Environment(public_key="{DEMO.public}", epoch=1, values={{}}),'
    passes = {
        "plain": (good, "as luggage writes it"),
        "crlf": (good.replace("\n", "\r\n"), "lines that end in CRLF"),
        "bom": ("\ufeff" + good, "a byte order mark"),
        "comments": (
            change("    format=1,", "    # ünïcödé, ) } ] \" '\n    format = 1 ,  # one"),
            "comments, odd spacing",
        ),
        "single-quotes": (good.replace('"LINES_API_KEY":', "'LINES_API_KEY' :"), "single quotes"),
        "keyword-order": (
            change("    format=1,\n", "").replace("    },\n)", "    },\n    format=1\n)"),
            "keywords in another order, no last comma",
        ),
        "no-required": (change('    required=("LINES_API_KEY",),\n', ""), "nothing required"),
        "required-list": (change('("LINES_API_KEY",)', '["LINES_API_KEY"]'), "a list"),
        "bare-callee": (good.replace("crypto.", ""), "callees without dots"),
        "backslash": (change("format=1", "format=\\\n1"), "a line joined by a backslash"),
        "utf8-cookie": ("# -*- coding: utf-8 -*-\n" + good, "an encoding declaration"),
        "coding-utf8": ("#!/bin/true\n# vim: fileencoding=UTF8 :\n" + good, "UTF8 for UTF-8"),
        "coding-utf-8-unix": ("# coding: Utf_8-Unix\n" + good, "UTF-8 as Emacs names it"),
        "after-semicolon": (
            "import os;  # one;\n" + good + "import sys;\n",
            "semicolons in other lines",
        ),
    }
    for name, (body, comment) in passes.items():
        write(f"config-{name}", comment, "config", "success", body, secrets=all_names)
    empty = 'SECRETS = Secrets(format=1, project="a", environments={})\n'
    write("config-no-environment", "no environment", "config", "success", empty, secrets="")
    bad = {
        "format-2": (change("format=1", "format=2"), "an unknown format"),
        "format-true": (change("format=1", "format=True"), "True is no number here"),
        "format-hex": (change("format=1", "format=0x1"), "a number that is not decimal digits"),
        "format-missing": (change("    format=1,\n", ""), "no format"),
        "format-2-new-keyword": (
            change("format=1,", "grants={},\n    format=2,"),
            "an unknown format, with a word that this one has not",
        ),
        "keyword-unknown": (
            change("    format=1,", "    format=1,\n    extra=1,"),
            "one word more",
        ),
        "positional": (change("    format=1,", "    1,"), "an argument without its keyword"),
        "project-upper": (change('"example"', '"Example"'), "a project in upper case"),
        "project-f-string": (change('"example"', 'f"example"'), "an f-string"),
        "project-prefix": (change('"example"', 'u"example"'), "a string with a prefix"),
        "project-raw": (change('"example"', 'r"example"'), "a raw string"),
        "project-tripled": (change('"example"', '"""example"""'), "three quotes"),
        "project-escape": (change('"example"', '"ex\\x61mple"'), "an escape sequence"),
        "project-joined": (change('"example"', '"exam" "ple"'), "two strings, joined"),
        "project-name": (change('"example"', "PROJECT"), "a name for a string"),
        "parentheses": (change('"example"', '("example")'), "parentheses around a string"),
        "required-string": (
            change('("LINES_API_KEY",)', '("LINES_API_KEY")'),
            "a tuple's comma missing",
        ),
        "required-twice": (
            change('("LINES_API_KEY",)', '("LINES_API_KEY", "LINES_API_KEY")'),
            "a required name twice",
        ),
        "required-lower": (
            change('("LINES_API_KEY",)', '("lines",)'),
            "a required name in lower case",
        ),
        "name-twice": (change('"MOOD_API_KEY"', '"LINES_API_KEY"'), "a secret twice"),
        "name-lower": (change('"MOOD_API_KEY"', '"mood"'), "a secret in lower case"),
        "environment-upper": (change('"demo"', '"Demo"'), "an environment in upper case"),
        "same-public-key": (
            change('        "demo":', f'        {prod}\n        "demo":'),
            "two environments with one key",
        ),
        "epoch-zero": (change("epoch=1", "epoch=0"), "epoch 0"),
        "epoch-string": (change("epoch=1", 'epoch="1"'), "an epoch that is a string"),
        "epoch-underscore": (change("epoch=1", "epoch=1_0"), "digits with an underscore"),
        "epoch-over": (change("epoch=1", f"epoch={2**63}"), "an epoch of 2^63"),
        "public-key": (
            change(DEMO.public, flip(DEMO.public, 20)),
            "a public key with a typing error",
        ),
        "plaintext": (change(lines, "veiled"), "a value that was never sealed"),
        "other-key": (change(DEMO.public, PROD.public), "values sealed to another key"),
        "value-computed": (change(f'"{lines}"', f'"{lines}".strip()'), "a computed value"),
        "double-star": (change('"MOOD_API_KEY"', '**{},\n"MOOD_API_KEY"'), "two stars in a dict"),
        "dict-call": (change("environments={", "environments=dict(a=1) or {"), "a computed dict"),
        "twice": (good + "\nSECRETS = None\n", "a second assignment"),
        "annotated": (change("SECRETS =", "SECRETS: object ="), "an annotated assignment"),
        "chained": (change("SECRETS =", "SECRETS = OTHER ="), "a chained assignment"),
        "deleted": (good + "\ndel SECRETS\n", "a deletion"),
        "in-if": (
            "if True:\n" + "".join(f"    {it}\n" for it in good.splitlines()),
            "not at top level",
        ),
        "walrus": (good + "\nprint(SECRETS := 1)\n", "an assignment in an expression"),
        "unpacked": (good + "\n(SECRETS, a) = 1, 2\n", "an assignment by unpacking"),
        "augmented": (good + "\nSECRETS += 1\n", "an augmented assignment"),
        "for": (good + "\nfor SECRETS in ():\n    pass\n", "a loop over that name"),
        "with-as": (good + "\nwith open(0) as SECRETS:\n    pass\n", "bound by with"),
        "except-as": (
            good + "\ntry:\n    pass\nexcept OSError as SECRETS:\n    pass\n",
            "bound by except",
        ),
        "function": (good + "\ndef SECRETS():\n    pass\n", "a function of that name"),
        "class": (good + "\nclass SECRETS:\n    pass\n", "a class of that name"),
        "parameter": (good + "\ndef f(SECRETS):\n    pass\n", "a parameter of that name"),
        "parameter-star": (good + "\ndef f(*SECRETS):\n    pass\n", "a parameter with a star"),
        "parameter-lambda": (good + "\nf = lambda SECRETS: 0\n", "a lambda's parameter"),
        "parameter-type": (
            good + "\ndef f[SECRETS]():\n    pass\n",
            "a type parameter (before Python 3.12 no Python)",
        ),
        "semicolon-after": (good.rstrip() + "; x = 1\n", "another statement after it"),
        "semicolon-before": (
            change("SECRETS =", "x = 1; \\\nSECRETS ="),
            "another statement before it",
        ),
        "semicolon-alone": (good.rstrip() + " ;\n", "a semicolon after it"),
        "inner": (good + "\ndef f():\n    SECRETS = 1\n", "bound inside a function"),
        "starred-values": (change('"MOOD_API_KEY": ', '**{}, "MOOD_API_KEY": '), "two stars"),
        "value-joined": (change(f'"{lines}"', f'"{lines[:20]}" "{lines[20:]}"'), "joined strings"),
        "value-bytes": (change(f'"{lines}"', f'b"{lines}"'), "bytes for a string"),
        "value-f-string": (change(f'"{lines}"', f'f"{lines}"'), "an f-string for a sealed value"),
        "value-none": (change(f'"{lines}"', "None"), "None for a sealed value"),
        "star-import": (good + "\nfrom os.path import *\n", "a star import"),
        "global": (good + "\ndef f():\n    global SECRETS\n", "a global declaration"),
        "import-as": (good + "\nimport os as SECRETS\n", "an import of that name"),
        "missing": ('"""Nothing here."""\n', "no such assignment"),
        "callee": (change("crypto.Environment", "crypto.Env"), "another callee"),
        "callee-call": (change("crypto.Secrets", "crypto().Secrets"), "a callee that is called"),
        "syntax": (good[:-3], "no Python"),
    }
    for name, (body, comment) in bad.items():
        write(f"config-{name}", comment, "config", "config", body)
    raw = {
        "latin-1": (good.replace("An example", "Ein Übel").encode("latin-1"), "not UTF-8"),
        "latin-1-cookie": (b"# coding: latin-1\n" + good.encode(), "declares another encoding"),
        "coding-u8": (b"# coding: U8\n" + good.encode(), "an alias that is not accepted"),
        "coding-utf8-bom": (
            b"\xef\xbb\xbf# coding: utf8\n" + good.encode(),
            "utf8 behind a byte order mark, which Python refuses",
        ),
        "lone-cr": (good.replace("An example", "An\rexample").encode(), "a lone carriage return"),
        "nul": (good.encode() + b"\0", "a NUL"),
    }
    for name, (data, comment) in raw.items():
        write(f"config-{name}", comment, "config", "config", data)


def listings() -> None:
    one = hashlib.sha256(b"one").hexdigest()
    folder = "./app type=dir mode=0755 uid=0 gid=0\n"
    file = f"./app/a.py type=file mode=0644 uid=0 gid=0 size=3 sha256digest={one}\n"
    link = "./app/bin type=link mode=0777 uid=0 gid=0 link=../usr/bin\n"
    other = "./run/luggage type=dir mode=1777 uid=65532 gid=65532\n"
    good = "#mtree\n" + folder + file + link + other
    odd = (
        r"./\001\040\043\052\075\077\133\134\177\200\303\251\377!]~ type=dir mode=0000 uid=0 gid=0"
    )
    biggest = f"./a type=file mode=7777 uid={10**18} gid=0 size={10**19 - 1} sha256digest={one}\n"
    passes = {
        "plain": (good, "a folder, a file, a link", "2 1 1"),
        "empty": ("#mtree\n", "nothing", "0 0 0"),
        "escapes": (f"#mtree\n{odd}\n", "every kind of escape, and none that is needless", "1 0 0"),
        "largest": (f"#mtree\n{biggest}", "all bits of a mode, and 19 digits", "0 1 0"),
        "order": (
            "#mtree\n"
            + "".join(
                f"./{it} type=dir mode=0755 uid=0 gid=0\n"
                for it in ("a", r"a\040b", "a-b", "a/b", "ab", r"\303\251")
            ),
            "sorted by the bytes of the whole path",
            "6 0 0",
        ),
        "twins": (
            "#mtree\n./A type=dir mode=0755 uid=0 gid=0\n./a type=dir mode=0755 uid=0 gid=0\n",
            "names that differ in case",
            "2 0 0",
        ),
    }
    for name, (body, comment, lists) in passes.items():
        write(f"listing-{name}", comment, "listing", "success", body, lists=lists)

    def change(old: str, new: str) -> str:
        assert old in good, old
        return good.replace(old, new, 1)

    bad = {
        "nothing": ("", "an empty file"),
        "head-missing": (good[7:], "no #mtree"),
        "head-other": (change("#mtree", "#mtree v1"), "more in the first line"),
        "line-feed-missing": (good[:-1], "no line feed at the end"),
        "line-feed-twice": (good + "\n", "an empty line at the end"),
        "carriage-return": (good.replace("\n", "\r\n"), "lines that end in CRLF"),
        "comment": (change("#mtree\n", "#mtree\n# more\n"), "a comment"),
        "set": (change("#mtree\n", "#mtree\n/set uid=0 gid=0\n"), "values for all lines"),
        "order": ("#mtree\n" + file + folder, "lines out of order"),
        "order-escaped": (
            "#mtree\n"
            + "".join(f"./{it} type=dir mode=0755 uid=0 gid=0\n" for it in (r"\303\251", "a")),
            "sorted by the text and not by the bytes",
        ),
        "twice": (change(folder, folder + folder), "a path twice"),
        "space-twice": (change(" type=dir", "  type=dir"), "two spaces"),
        "space-last": (change("gid=0\n", "gid=0 \n"), "a space at the end"),
        "words-order": (change("uid=0 gid=0", "gid=0 uid=0"), "words out of order"),
        "word-more": (change("gid=0\n", "gid=0 nlink=1\n"), "one word more"),
        "word-missing": (change(" gid=0\n", "\n"), "one word less"),
        "path-absolute": (change("./app type", "/app type"), "an absolute path"),
        "path-plain": (change("./app type", "app type"), "no dot before it"),
        "path-root": (change("./app type", ". type"), "the root itself"),
        "path-empty": (change("./app type", "./ type"), "an empty path"),
        "path-dots": (change("./app/bin", "./app/.."), "a path that goes up"),
        "path-dot": (change("./app/bin", "./app/./bin"), "a path with a dot"),
        "path-slashes": (change("./app/bin", "./app//bin"), "an empty part"),
        "path-slash": (change("./app type", "./app/ type"), "a slash at the end"),
        "path-nul": (change("./app/bin", r"./app/b\000n"), "a NUL"),
        "escape-missing": (change("./app/bin", "./app/b=n"), "a byte that needs an escape"),
        "escape-utf-8": (change("./app/bin", "./app/b\u00e9n"), "not ASCII"),
        "escape-needless": (change("./app/bin", r"./app/b\151n"), "an escape that none needs"),
        "escape-short": (change("./app/bin", r"./app/b\40n"), "an escape of two digits"),
        "escape-large": (change("./app/bin", r"./app/b\400n"), "an escape above 377"),
        "escape-cut": (change("./app/bin", "./app/bi\\"), "a backslash at the end"),
        "escape-c": (change("./app/bin", r"./app/b\sn"), "another kind of escape"),
        "kind": (change("type=dir", "type=block"), "a kind that no layer has"),
        "mode-short": (change("mode=0755", "mode=755"), "three digits"),
        "mode-decimal": (change("mode=0755", "mode=0759"), "a digit that is not octal"),
        "uid-zero": (change("uid=0", "uid=00"), "a leading zero"),
        "uid-negative": (change("uid=0", "uid=-1"), "a sign"),
        "uid-name": (change("uid=0", "uname=root"), "a name for a number"),
        "size-missing": (change(" size=3", ""), "a file without its size"),
        "size-plus": (change("size=3", "size=+3"), "a sign"),
        "digest-upper": (change(one, one.upper()), "a digest in upper case"),
        "digest-short": (change(one, one[1:]), "a digest of 63 digits"),
        "digest-other": (change("sha256digest", "sha256"), "the word's other name"),
        "folder-size": (change("gid=0\n", "gid=0 size=0\n"), "a folder with a size"),
        "link-missing": (change(" link=../usr/bin", ""), "a link without its target"),
        "link-empty": (change("link=../usr/bin", "link="), "an empty target"),
        "link-escape": (change("link=../usr/bin", r"link=\141"), "a needless escape in a target"),
    }
    for name, (text, comment) in bad.items():
        write(f"listing-{name}", comment, "listing", "listing", text)


def seals() -> None:
    one, two = (hashlib.sha256(word).hexdigest() for word in (b"one", b"two"))
    packed = {
        "format": "luggage-manifest-v1",
        "project": "example",
        "commit": "c0" * 20,
        "dirty": False,
        "entry": "example_deploy",
        "python": "3.13.5",
        "platform": "linux-x86_64",
        "lock": one,
        "tools": {},
        "wheels": [],
        "files": {"example_app/page.py": two},
        "sealed": {"demo": {"LINES_API_KEY": one}},
        "serial": 7,
    }
    members = {
        "format": "luggage-seal-v1",
        "manifest": packed,
        "pex": one,
        "layers": dict.fromkeys(("app", "deps", "luggage", "root"), two),
        "debian": {"base-files": "13.8+deb13u1", "libstdc++6": "14.2.0-19", "media-types": "1:13"},
        "sbom": {"pex": one, "image": two},
    }

    def changed(**more: object) -> bytes:
        text = json.dumps(members | more, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii") + b"\n"

    bare = {"layers": {}, "debian": {}, "sbom": {"pex": one}}
    good = changed()
    passes = {
        "plain": (good, "of a pex and an image", "4 3 2"),
        "pex": (changed(**bare), "of a pex alone", "0 0 1"),
        "dirty": (changed(manifest=packed | {"dirty": True}), "of a dirty tree", "4 3 2"),
        "serial-most": (changed(manifest=packed | {"serial": 2**63 - 1}), "2^63 - 1", "4 3 2"),
    }
    for name, (body, comment, lists) in passes.items():
        write(f"seal-{name}", comment, "seal", "success", body, lists=lists)
    bad = {
        "line-feed-missing": (good[:-1], "no line feed at the end"),
        "space": (good.replace(b'","', b'", "', 1), "a space between members"),
        "member-twice": (good.replace(b'"pex":', b'"pex":"","pex":', 1), "a member twice"),
        "member-missing": (good.replace(b'"pex":"%b",' % one.encode(), b"", 1), "no pex"),
        "member-unknown": (changed(more={}), "one member more"),
        "format-manifest": (
            good.replace(b"luggage-seal-v1", b"luggage-manifest-v1"),
            "the format of a manifest",
        ),
        "array": (b"[]\n", "no object"),
        "not-json": (b"seal\n", "no JSON"),
        "manifest-text": (changed(manifest="x"), "a manifest that is a text"),
        "manifest-empty": (changed(manifest={}), "an empty manifest"),
        "manifest-wrong": (changed(manifest=packed | {"lock": ""}), "a manifest that is wrong"),
        "manifest-version-2": (
            changed(manifest=packed | {"format": "luggage-manifest-v2"}),
            "a later manifest in a seal of now",
        ),
        "pex-short": (changed(pex=one[1:]), "a digest of 63 digits"),
        "pex-null": (changed(pex=None), "no digest"),
        "layers-name": (changed(layers={"App": one}), "a layer in upper case"),
        "layers-digest": (changed(layers={"app": one.upper()}), "a digest in upper case"),
        "layers-array": (changed(layers=[]), "an array for an object"),
        "debian-name": (changed(debian={"Libc6": "2.41-12"}), "a package in upper case"),
        "debian-version": (changed(debian={"libc6": "v2"}), "a version without a digit first"),
        "debian-alone": (changed(**bare | {"debian": members["debian"]}), "packages, no layers"),
        "sbom-pex": (changed(sbom={"image": one}), "no SBOM of the pex"),
        "sbom-image": (changed(sbom={"pex": one}), "no SBOM of the image"),
        "sbom-image-bare": (changed(**bare | {"sbom": members["sbom"]}), "one of no image"),
        "sbom-more": (changed(sbom={"pex": one, "image": two, "x": one}), "one SBOM more"),
    }
    for name, (body, comment) in bad.items():
        write(f"seal-{name}", comment, "seal", "seal", body)
    later = b'{"format":"luggage-seal-v2","new":[1.5]}\n'
    write("seal-version-2", "a later version", "seal", "version", later)

    verify, secret = bindings.crypto_sign_seed_keypair(SEED)
    signed = bindings.crypto_sign(good, secret)[:64]
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signed[32:], "little") + order
    cases = {
        "plain": ("success", good, signed, verify, "a signature, as RFC 8032 has it"),
        "other-byte": ("signature", good[:-1] + b" ", signed, verify, "of another seal"),
        "other-key": (
            "signature",
            good,
            signed,
            bindings.crypto_sign_seed_keypair(DEMO.secret)[0],
            "by another key",
        ),
        "flipped": ("signature", good, bytes([signed[0] ^ 1]) + signed[1:], verify, "one bit"),
        "short": ("signature", good, signed[:-1], verify, "63 bytes"),
        "long": ("signature", good, signed + b"\0", verify, "65 bytes"),
        "empty": ("signature", good, b"", verify, "no bytes"),
        "malleable": (
            "signature",
            good,
            signed[:32] + scalar.to_bytes(32, "little"),
            verify,
            "its scalar is not the least: a second spelling",
        ),
        "low-order": (
            "signature",
            good,
            bytes([1]) + bytes(63),
            bytes([1]) + bytes(31),
            "a verify key of low order, under which anything could be signed",
        ),
        "not-canonical": ("signature", good, signed, b"\xff" * 32, "a key that is no point"),
    }
    for name, (expect, body, made, key, comment) in cases.items():
        facts = {"verify_key": key.hex(), "signature": made.hex()}
        write(f"signature-{name}", comment, "signature", expect, body, **facts)


def manifests() -> None:
    one, two = (hashlib.sha256(word).hexdigest() for word in (b"one", b"two"))
    wheels = [
        {"name": name, "version": "1.0", "file": f"{name}-1.0-py3-none-any.whl", "sha256": one}
        for name in ("flask", "urllib3")
    ]
    members = {
        "format": "luggage-manifest-v1",
        "project": "example",
        "commit": "c0" * 20,
        "dirty": False,
        "entry": "example_deploy",
        "python": "3.13.5",
        "platform": "linux-x86_64",
        "lock": one,
        "tools": {"pex": "2.0", "uv": "0.9"},
        "wheels": wheels,
        "files": {"example_app/__init__.py": one, "example_app/page.py": two},
        "sealed": {"demo": {"LINES_API_KEY": one, "MOOD_API_KEY": two}},
        "serial": None,
    }

    def changed(**more: object) -> bytes:
        text = json.dumps(members | more, sort_keys=True, separators=(",", ":"))
        return text.encode("ascii") + b"\n"

    def files(*paths: str) -> bytes:
        return changed(files=dict.fromkeys(paths, one))

    good = changed()

    def change(old: bytes, new: bytes) -> bytes:
        assert old in good, old
        return good.replace(old, new, 1)

    nothing: dict[str, object] = {word: {} for word in ("tools", "files", "sealed")}
    passes = {
        "plain": (good, "as luggage writes it", "2 2 2"),
        "without-git": (changed(commit=None, dirty=True), "no commit", "2 2 2"),
        "sha256-commit": (changed(commit="c0" * 32, dirty=True), "a long commit, dirty", "2 2 2"),
        "serial-most": (changed(serial=2**63 - 1), "the highest serial", "2 2 2"),
        "nothing": (changed(wheels=[], **nothing), "nothing packed", "0 0 0"),
        "python-pre": (changed(python="3.15.0rc10+"), "a Python before its release", "2 2 2"),
        "paths": (
            files("a b", 'a"b', "...", ".x/..y", "\u00a0", "\u2028", "\ufb01", "\U0001f511"),
            "odd paths, sorted by code point and not by UTF-16",
            "8 2 2",
        ),
    }
    for name, (body, comment, lists) in passes.items():
        write(f"manifest-{name}", comment, "manifest", "success", body, lists=lists)
    bad = {
        "line-feed-missing": (good[:-1], "no line feed at the end"),
        "line-feed-twice": (good + b"\n", "two line feeds"),
        "space": (change(b'","', b'", "'), "a space between members"),
        "bom": (b"\xef\xbb\xbf" + good, "a byte order mark"),
        "utf-8": (files("\u00e9").replace(b"\\u00e9", "\u00e9".encode()), "not ASCII"),
        "escape-upper": (files("\u00e9").replace(b"\\u00e9", b"\\u00E9"), "upper-case hex"),
        "escape-needless": (change(b"linux", b"linu\\u0078"), "an escape that none needs"),
        "escape-slash": (change(b"app/page", b"app\\/page"), "an escaped slash"),
        "order": (
            change(
                b'"dirty":false,"entry":"example_deploy"', b'"entry":"example_deploy","dirty":false'
            ),
            "members out of order",
        ),
        "order-utf-16": (
            files("\ufb01", "\U0001f511").replace(
                f'"\\ufb01":"{one}","\\ud83d\\udd11":"{one}"'.encode(),
                f'"\\ud83d\\udd11":"{one}","\\ufb01":"{one}"'.encode(),
            ),
            "paths sorted by UTF-16",
        ),
        "member-twice": (change(b'"dirty":false', b'"dirty":false,"dirty":false'), "twice"),
        "member-missing": (change(b',"serial":null', b""), "no serial"),
        "member-unknown": (change(b',"tools"', b',"size":1,"tools"'), "one member more"),
        "format-other": (change(b"luggage-manifest-v1", b"manifest"), "another kind of format"),
        "format-number": (change(b'"luggage-manifest-v1"', b"1"), "a format that is a number"),
        "array": (b"[]\n", "no object"),
        "project-upper": (changed(project="Example"), "a project in upper case"),
        "commit-short": (changed(commit="c0" * 6), "a commit cut short"),
        "commit-upper": (changed(commit="C0" * 20), "a commit in upper case"),
        "commit-null-clean": (changed(commit=None), "no commit, and not dirty"),
        "dirty-number": (changed(dirty=0), "0 for false"),
        "entry-dash": (changed(entry="example-deploy"), "an entry that is no name"),
        "python-short": (changed(python="3.13"), "a Python without its patch version"),
        "python-zero": (changed(python="3.013.5"), "a leading zero"),
        "platform-empty": (changed(platform=""), "no platform"),
        "platform-space": (changed(platform="linux x86"), "a space in the platform"),
        "lock-upper": (changed(lock=one.upper()), "a digest in upper case"),
        "tools-name": (changed(tools={"Pex": "2.0"}), "a tool's name that is not normalised"),
        "tools-version": (changed(tools={"pex": "2.0 "}), "a version with a space"),
        "tools-array": (changed(tools=[]), "an array for an object"),
        "wheels-order": (changed(wheels=wheels[::-1]), "wheels unsorted"),
        "wheels-twice": (changed(wheels=[wheels[0], wheels[0] | {"version": "2"}]), "a name twice"),
        "wheels-member": (changed(wheels=[wheels[0] | {"url": "x"}]), "a wheel's member more"),
        "wheels-file-path": (
            changed(wheels=[wheels[0] | {"file": "x/flask-1.0-py3-none-any.whl"}]),
            "a path for a file name",
        ),
        "wheels-file-sdist": (
            changed(wheels=[wheels[0] | {"file": "flask-1.0.tar.gz"}]),
            "a file that is no wheel",
        ),
        "wheels-name": (changed(wheels=[wheels[0] | {"name": "Flask"}]), "not normalised"),
        "wheels-text": (changed(wheels=""), "a string for an array"),
        "files-dots": (files("a/../b"), "a path that goes up"),
        "files-dot": (files("./a"), "a path with a dot"),
        "files-absolute": (files("/a"), "an absolute path"),
        "files-empty-part": (files("a//b"), "an empty part"),
        "files-empty": (files(""), "an empty path"),
        "files-folder": (files("a/"), "a slash at the end"),
        "files-backslash": (files("a\\b"), "a backslash"),
        "files-nul": (files("a\0b"), "a NUL"),
        "files-line-feed": (files("a\nb"), "a line feed"),
        "files-delete": (files("a\x7fb"), "DEL"),
        "files-c1": (files("a\x9bb"), "a control character above ASCII"),
        "files-surrogate": (files("a\ud800b"), "an unpaired surrogate"),
        "files-itself": (files("luggage-manifest.json"), "the manifest lists itself"),
        "files-digest": (changed(files={"a": one[1:]}), "a digest of 63 digits"),
        "sealed-environment": (changed(sealed={"Demo": {}}), "an environment in upper case"),
        "sealed-name": (changed(sealed={"demo": {"lines": one}}), "a secret in lower case"),
        "serial-zero": (changed(serial=0), "serial 0"),
        "serial-over": (changed(serial=2**63), "a serial of 2^63"),
        "serial-true": (changed(serial=True), "true for a serial"),
        "serial-fraction": (change(b'"serial":null', b'"serial":1.0'), "a fraction"),
        "serial-exponent": (change(b'"serial":null', b'"serial":1e0'), "an exponent"),
        "serial-leading-zero": (change(b'"serial":null', b'"serial":01'), "a leading zero"),
    }
    for name, (body, comment) in bad.items():
        write(f"manifest-{name}", comment, "manifest", "manifest", body)
    later = b'{"format":"luggage-manifest-v2","new":[1.5]}\n'
    write("manifest-version-2", "a later version", "manifest", "version", later)


if __name__ == "__main__":
    envelopes()
    keys()
    bundles()
    configs()
    manifests()
    listings()
    seals()
