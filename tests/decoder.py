"""A second decoder, written from docs/format.md alone: it shares no code with luggage."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import itertools
import json
import math
import re
import tokenize
import warnings

from nacl import bindings
from nacl.public import PrivateKey, SealedBox


class RefusedError(Exception):
    """`args[0]` is a reason of docs/format.md §11."""


def check(condition: object, reason: str) -> None:
    if not condition:
        raise RefusedError(reason)


def unbase64(text: str) -> bytes:
    check(re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1, "shape")
    standard = text.replace("-", "+").replace("_", "/")
    data = base64.b64decode(standard + "=" * ((4 - len(text) % 4) % 4))
    again = base64.b64encode(data).decode().replace("+", "-").replace("/", "_").replace("=", "")
    check(again == text, "shape")
    return data


def blake(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def is_place(text: str) -> bool:
    return bool(re.fullmatch("[a-z][a-z0-9-]{0,62}", text))


def is_name(text: str) -> bool:
    return bool(re.fullmatch("[A-Z][A-Z0-9_]{0,62}", text))


# §2


def check_version(text: str) -> None:
    found = re.match(r"lug(?:pub|key|bundle|sign|verify)([0-9]+)\.", text)
    check(not found or found.group(1) == "1", "version")


def key_bytes(text: str, prefix: str) -> bytes:
    check_version(text)
    check(text[: len(prefix)] == prefix and len(text) == len(prefix) + 48, "shape")
    data = unbase64(text[len(prefix) :])
    check(blake(prefix.encode() + data[:32])[:4] == data[32:], "checksum")
    return data[:32]


def public_key(text: str) -> bytes:
    raw = key_bytes(text, "lugpub1.")
    check(sum(byte << 8 * place for place, byte in enumerate(raw)) < 2**255 - 19, "public-key")
    try:
        shared = bindings.crypto_scalarmult(bytes([1] + [0] * 31), raw)
    except Exception:
        shared = bytes(32)
    check(shared != bytes(32), "public-key")
    return raw


def private_key(text: str) -> PrivateKey:
    return PrivateKey(key_bytes(text, "lugkey1."))


def signing_key(text: str) -> bytes:
    """The verify key of a signing key."""
    verify, _ = bindings.crypto_sign_seed_keypair(key_bytes(text, "lugsign1."))
    return verify


def verify_key(text: str) -> bytes:
    return key_bytes(text, "lugverify1.")


def key_id(raw: bytes) -> str:
    return base64.urlsafe_b64encode(blake(raw)[:8]).decode()[:11]


# §3


def field(stream: io.BytesIO) -> bytes:
    size = stream.read(4)
    check(len(size) == 4, "payload")
    data = stream.read(int.from_bytes(size, "big"))
    check(len(data) == int.from_bytes(size, "big"), "payload")
    return data


def value(kind: bytes, data: bytes) -> object:
    check(kind in (b"text", b"bytes", b"json", b"url"), "type")
    if kind == b"bytes":
        return data
    if kind == b"url":
        check(all(0x21 <= byte <= 0x7E for byte in data), "value")
        scheme, colon, rest = data.decode().partition(":")
        check(colon and rest and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme), "value")
        return data.decode()
    try:
        text = data.decode("utf-8", "strict")
        if kind == b"text":
            return text
        found = json.loads(
            text,
            parse_float=number,
            parse_int=number,
            parse_constant=number,
            object_pairs_hook=pairs,
        )
        walk(found, 0)
    except (ValueError, RecursionError):
        raise RefusedError("value") from None
    return json.loads(text)


def number(text: str) -> object:
    if text.lstrip("-").isdigit():
        if len(text.replace("-", "")) > 300:
            raise ValueError
        return int(text)
    if not math.isfinite(float(text)):
        raise ValueError
    return float(text)


def pairs(found: list[tuple[str, object]]) -> list[object]:
    """An object as a list of names and values: counts as one level of depth."""
    if len({name for name, _ in found}) < len(found):
        raise ValueError
    return [part for pair in found for part in pair]


def walk(found: object, depth: int) -> None:
    if isinstance(found, str):
        found.encode("utf-8")
    if isinstance(found, list):
        if depth == 64:
            raise ValueError
        for item in found:
            walk(item, depth + 1)


def envelope(
    text: str, key: str, place: tuple[str, str, str], public: str, epoch: int
) -> tuple[str, object, bytes]:
    """Type, value, and the value's bytes."""
    raw = public_key(public)
    check(len(text) <= 90_000, "size")
    if not text.startswith("lug1."):
        check(not re.match(r"lug[0-9]+\.", text), "version")
        raise RefusedError("plaintext")
    check(text.count(".") == 2, "shape")
    _, named, box_text = text.split(".")
    check(len(named) == 11, "shape")
    unbase64(named)
    box = unbase64(box_text)
    check(named == key_id(raw), "key-id")
    private = private_key(key)
    check(bytes(private.public_key) == raw, "no-match")
    try:
        payload = SealedBox(private).decrypt(box)
    except Exception:
        raise RefusedError("box") from None
    label = b"luggage-secret-v1\n"
    if not payload.startswith(label):
        check(not payload.startswith(b"luggage-secret-v"), "version")
        raise RefusedError("payload")
    stream = io.BytesIO(payload[len(label) :])
    context = [field(stream) for _ in range(5)]
    kind, data, padding = field(stream), field(stream), stream.read()
    check(len(data) <= 65_536, "payload")
    check(padding == bytes((64 - (len(payload) - len(padding)) % 64) % 64), "payload")
    wanted = [part.encode() for part in place] + [raw, epoch.to_bytes(8, "big")]
    check(context == wanted, "context")
    return kind.decode("latin-1"), value(kind, data), data


# §5


def bundle(text: str) -> tuple[list[PrivateKey], bytes | None, int | None]:
    check(len(text) <= 4096, "size")
    check_version(text)
    check(text.startswith("lugbundle1."), "shape")
    data = unbase64(text[11:])
    check(len(data) >= 4 and blake(b"lugbundle1." + data[:-4])[:4] == data[-4:], "checksum")
    label = b"luggage-bundle-v1\n"
    if not data[:-4].startswith(label):
        check(not data.startswith(b"luggage-bundle-v"), "version")
        raise RefusedError("payload")
    stream = io.BytesIO(data[len(label) : -4])
    found: dict[int, list[bytes]] = {1: [], 2: [], 3: []}
    last = 1
    while tag := stream.read(1):
        check(1 <= tag[0] <= 3 and tag[0] >= last, "payload")
        last = tag[0]
        found[last].append(field(stream))
        check(len(found[last][-1]) == (8 if last == 3 else 32), "payload")
    check(1 <= len(found[1]) <= 8 and len(found[2]) == len(found[3]) <= 1, "payload")
    private = [PrivateKey(raw) for raw in found[1]]
    public = [bytes(key.public_key) for key in private]
    check(all(a < b for a, b in itertools.pairwise(public)), "payload")
    if not found[2]:
        return private, None, None
    serial = int.from_bytes(found[3][0], "big")
    check(1 <= serial < 2**63, "payload")
    return private, found[2][0], serial


# §4: a parser over Python's tokens


class Tokens:
    def __init__(self, tokens: list[tokenize.TokenInfo]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> str:
        check(self.at < len(self.tokens), "config")
        return self.tokens[self.at].string

    def take(self, wanted: str | None = None) -> str:
        found = self.peek()
        check(wanted is None or found == wanted, "config")
        self.at += 1
        return found

    def string(self) -> str:
        text = self.take()
        check(re.fullmatch(r"""("[^"'\\\n]*"|'[^"'\\\n]*')""", text), "config")
        return text[1:-1]

    def integer(self) -> int:
        text = self.take()
        check(re.fullmatch("[1-9][0-9]{0,18}", text) and int(text) < 2**63, "config")
        return int(text)

    def callee(self, name: str) -> None:
        parts = [self.take()]
        while self.peek() == ".":
            self.take()
            parts.append(self.take())
        check(all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", part) for part in parts), "config")
        check(parts[-1] == name, "config")

    def items(self, closing: str):  # type: ignore[no-untyped-def]
        """Turns around once for every item, between the commas."""
        while self.peek() != closing:
            yield
            if self.peek() != closing:
                self.take(",")
        self.take(closing)

    def words(self, **readers):  # type: ignore[no-untyped-def]
        found = {}
        self.take("(")
        for _ in self.items(")"):
            word = self.take()
            check(word in readers and word not in found, "config")
            self.take("=")
            found[word] = readers[word]()
        return found

    def table(self, is_key, reader):  # type: ignore[no-untyped-def]
        found = {}
        self.take("{")
        for _ in self.items("}"):
            key = self.string()
            check(is_key(key) and key not in found, "config")
            self.take(":")
            found[key] = reader()
        return found

    def strings(self) -> list[str]:
        opening = self.take()
        check(opening in ("(", "["), "config")
        found = []
        before = self.at
        for _ in self.items(")" if opening == "(" else "]"):
            found.append(self.string())
        check(opening == "[" or len(found) != 1 or self.at - before == 3, "config")
        check(len(set(found)) == len(found) and all(map(is_name, found)), "config")
        return found

    def environment(self):  # type: ignore[no-untyped-def]
        self.callee("Environment")
        found = self.words(
            public_key=self.string,
            epoch=self.integer,
            values=lambda: self.table(is_name, self.string),
        )
        check(len(found) == 3, "config")
        try:
            own = key_id(public_key(found["public_key"]))
            for text in found["values"].values():
                prefix, named, box = text.split(".")
                check(prefix == "lug1" and len(text) <= 90_000 and named == own, "config")
                unbase64(box)
        except (RefusedError, ValueError):
            raise RefusedError("config") from None
        return found


def config(source: bytes) -> dict[str, list[str]]:
    """Environment → the names of its secrets."""
    check(len(source) <= 16 * 2**20 and not re.search(rb"\r(?!\n)", source), "config")
    try:
        text = source.decode("utf-8-sig")
        encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        check(encoding.lower() in ("utf-8", "utf-8-sig", "utf8"), "config")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        lines = io.StringIO(text, newline="")
        tokens = [
            token
            for token in tokenize.generate_tokens(lines.readline)
            if token.type not in (tokenize.COMMENT, tokenize.NL)
        ]
    except (UnicodeDecodeError, SyntaxError, ValueError, tokenize.TokenError):
        raise RefusedError("config") from None
    check_bound_once(tree)
    starts = [
        place
        for place, token in enumerate(tokens)
        if token.string == "SECRETS" and token.start[1] == 0 and tokens[place + 1].string == "="
    ]
    check(len(starts) == 1, "config")
    before = tokens[: starts[0]][-1:]
    line_ends = (tokenize.NEWLINE, tokenize.DEDENT)
    check(all(token.type in line_ends for token in before), "config")
    rest = Tokens(tokens[starts[0] + 2 :])
    rest.callee("Secrets")
    found = rest.words(
        format=lambda: check(rest.take() == "1", "config"),
        project=rest.string,
        required=rest.strings,
        environments=lambda: rest.table(is_place, rest.environment),
    )
    check(set(found) | {"required"} == {"format", "project", "required", "environments"}, "config")
    check(is_place(found["project"]), "config")
    check(rest.tokens[rest.at].type in (tokenize.NEWLINE, tokenize.ENDMARKER), "config")
    environments = found["environments"]
    check(len({it["public_key"] for it in environments.values()}) == len(environments), "config")
    return {name: list(it["values"]) for name, it in environments.items()}


def check_bound_once(tree: ast.Module) -> None:
    bound = 0
    for node in ast.walk(tree):
        texts = [getattr(node, word, None) for word in ("name", "asname", "rest")]
        if isinstance(node, ast.arg):
            texts.append(node.arg)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            texts.append(node.id)
        if isinstance(node, ast.alias):
            check(node.name != "*", "config")
            texts = [node.asname or node.name.split(".")[0]]
        texts += getattr(node, "names", []) if isinstance(node, ast.Global | ast.Nonlocal) else []
        bound += texts.count("SECRETS")
    check(bound == 1, "config")


# §6


NUMBER = "(?:0|[1-9][0-9]{0,8})"
HEX = "[0-9a-f]{64}"
PACKAGE = "[a-z0-9]+(?:-[a-z0-9]+)*"
VERSION = "[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}"
STRINGS = {
    "format": "luggage-manifest-v1",
    "project": "[a-z][a-z0-9-]{0,62}",
    "entry": r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*",
    "python": rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:(?:a|b|rc){NUMBER})?\+?",
    "platform": "[A-Za-z0-9][A-Za-z0-9_.-]{0,62}",
    "lock": HEX,
}
WHEEL = {
    "name": PACKAGE,
    "version": VERSION,
    "file": r"[A-Za-z0-9_.!+]+(?:-[A-Za-z0-9_.!+]+){4,5}\.whl",
    "sha256": HEX,
}
OTHERS = ("commit", "dirty", "tools", "wheels", "files", "sealed", "serial")


def manifest(data: bytes) -> dict[str, object]:
    found = members(data, "manifest")
    manifest_members(found)
    check(canonical(found) + b"\n" == data, "manifest")
    return found


def members(data: bytes, kind: str) -> dict[str, object]:
    check(len(data) <= 16 * 2**20, "size")
    try:
        found = json.loads(data.decode("ascii"), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise RefusedError(kind) from None
    version = found.get("format") if isinstance(found, dict) else None
    check(isinstance(version, str) and version.startswith(f"luggage-{kind}-v"), kind)
    check(version == f"luggage-{kind}-v1", "version")
    return found


def manifest_members(found: dict[str, object]) -> None:
    check(isinstance(found, dict) and set(found) == {*STRINGS, *OTHERS}, "manifest")
    strings({name: found[name] for name in STRINGS}, STRINGS)
    commit, dirty, serial = found["commit"], found["dirty"], found["serial"]
    check(dirty is True or dirty is False, "manifest")
    if commit is None:
        check(dirty, "manifest")
    else:
        strings({"commit": commit}, {"commit": "[0-9a-f]{40}|[0-9a-f]{64}"})
    if serial is not None:
        check(type(serial) is int and 0 < serial < 2**63, "manifest")
    table(found["tools"], PACKAGE, VERSION)
    check(isinstance(found["wheels"], list), "manifest")
    for wheel in found["wheels"]:
        check(isinstance(wheel, dict) and set(wheel) == set(WHEEL), "manifest")
        strings(wheel, WHEEL)
    check(all(a["name"] < b["name"] for a, b in itertools.pairwise(found["wheels"])), "manifest")
    part = r"(?!\.{1,2}(?:/|\Z))[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
    table(found["files"], f"{part}(?:/{part})*", HEX)
    check("luggage-manifest.json" not in found["files"], "manifest")
    check(isinstance(found["sealed"], dict), "manifest")
    for environment, sealed in found["sealed"].items():
        check(is_place(environment), "manifest")
        table(sealed, "[A-Z][A-Z0-9_]{0,62}", HEX)


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def strings(found: dict[str, object], patterns: dict[str, str]) -> None:
    for name, pattern in patterns.items():
        text = found[name]
        check(isinstance(text, str) and re.fullmatch(pattern, text), "manifest")


def table(found: object, name: str, text: str) -> None:
    check(isinstance(found, dict), "manifest")
    for one, two in found.items():  # type: ignore[attr-defined]
        strings({"name": one, "text": two}, {"name": name, "text": text})


def canonical(found: object) -> bytes:
    """Written by hand, not by `json`."""
    match found:
        case None:
            return b"null"
        case bool() | int():
            return str(found).lower().encode()
        case str():
            return b'"' + b"".join(map(character, found)) + b'"'
        case list():
            return b"[" + b",".join(map(canonical, found)) + b"]"
        case dict():
            members = sorted(found, key=lambda name: [ord(it) for it in name])
            texts = [canonical(name) + b":" + canonical(found[name]) for name in members]
            return b"{" + b",".join(texts) + b"}"
    raise AssertionError


def character(one: str) -> bytes:
    code = ord(one)
    if code > 0xFFFF:
        high, low = 0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF)
        return b"\\u%04x\\u%04x" % (high, low)
    if code > 0x7E:
        return b"\\u%04x" % code
    return b'\\"' if one == '"' else one.encode("ascii")


# §7


def listing(data: bytes) -> list[str]:
    """The kinds of its lines, in their order."""
    check(len(data) <= 16 * 2**20, "size")
    first, *lines = data.split(b"\n")
    check(first == b"#mtree" and lines and lines.pop() == b"", "listing")
    last = b""
    kinds = []
    for line in lines:
        start, *words = line.split(b" ")
        check(start[:2] == b"./", "listing")
        path = unescaped(start[2:])
        check(b"\0" not in path and path > last, "listing")
        check(all(part not in (b"", b".", b"..") for part in path.split(b"/")), "listing")
        last = path
        kinds.append(words[0].decode("latin-1").removeprefix("type=") if words else "")
        check(kinds[-1] in LINES, "listing")
        patterns = ["type=" + kinds[-1], *OWNED, *LINES[kinds[-1]]]
        check(len(words) == len(patterns), "listing")
        for word, pattern in zip(words, patterns, strict=True):
            check(re.fullmatch(pattern.encode(), word), "listing")
        if kinds[-1] == "link":
            unescaped(words[-1].removeprefix(b"link="))
    return kinds


COUNT = "(?:0|[1-9][0-9]{0,18})"
OWNED = ("mode=[0-7]{4}", f"uid={COUNT}", f"gid={COUNT}")
LINES = {
    "dir": (),
    "file": (f"size={COUNT}", f"sha256digest={HEX}"),
    "link": ("link=.+",),
}


def unescaped(text: bytes) -> bytes:
    found = bytearray()
    rest = list(text)
    while rest:
        byte = rest.pop(0)
        coded = byte == 0x5C
        if coded:
            digits = bytes(rest[:3])
            check(re.fullmatch(b"[0-3][0-7]{2}", digits), "listing")
            del rest[:3]
            byte = int(digits, 8)
        check(coded == (not 0x21 <= byte <= 0x7E or byte in b"#*=?[\\"), "listing")
        found.append(byte)
    return bytes(found)


# §8, §9


def seal(data: bytes) -> dict[str, dict[str, str]]:
    found = members(data, "seal")
    tables = ("layers", "debian", "sbom")
    check(set(found) == {"format", "manifest", "pex", *tables}, "seal")
    try:
        manifest_members(found["manifest"])
        check(found["manifest"]["format"] == "luggage-manifest-v1", "seal")
        strings(found, {"pex": HEX})
        table(found["layers"], "[a-z][a-z0-9-]{0,62}", HEX)
        table(found["debian"], "[a-z0-9][a-z0-9+.-]{1,127}", "[0-9][A-Za-z0-9.+:~-]{0,127}")
        table(found["sbom"], "pex|image", HEX)
    except RefusedError:
        raise RefusedError("seal") from None
    check("pex" in found["sbom"], "seal")
    check(("image" in found["sbom"]) == bool(found["layers"]), "seal")
    check(found["layers"] or not found["debian"], "seal")
    check(canonical(found) + b"\n" == data, "seal")
    return {name: found[name] for name in tables}


def signature(data: bytes, signed: bytes, verify: bytes) -> None:
    check(len(signed) == 64, "signature")
    try:
        opened = bindings.crypto_sign_open(signed + data, verify)
    except Exception:
        raise RefusedError("signature") from None
    check(opened == data, "signature")
