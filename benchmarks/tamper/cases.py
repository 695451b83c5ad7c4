"""A seed and a number → that case: a text that an attacker made, and what luggage makes of it.

Everything follows from the seed, so a case that fails can be repeated: boxes are sealed here with
a key pair from the seed where libsodium would take a random one, and are the same otherwise.
"""

from __future__ import annotations

import base64
import hashlib
import random
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from nacl import bindings

from luggage.crypto import Environment, Secret, SecretError, Secrets, envelope, keys, types
from luggage.crypto.envelope import Context
from luggage.crypto.keys import Bundle, PrivateKey, PublicKey

LABEL = b"luggage-secret-v1\n"
# No name: a field that is a name is quoted, and whoever sealed it has chosen it.
CANARY = "C4n4ry.of_the~benchmark"
VALUES = {
    "text": CANARY.encode(),
    "bytes": b"\0\xff" + CANARY.encode(),
    "json": b'{"canary": "' + CANARY.encode() + b'"}',
    "url": b"https://x:" + CANARY.encode() + b"@example.org",
}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FOREIGN = [
    *"+/=. \t\r\n\0%\"'\\{}",
    "é",
    "\u0410",
    "\uff21",
    "\u200b",
    "\ufeff",
    "\U0001f511",
    "\ud800",
]
GENUINE, FRESH, WRONG, CRASH, LEAK = "genuine", "fresh", "WRONG", "CRASH", "LEAK"
FAULTS = (WRONG, CRASH, LEAK)


@dataclass(frozen=True)
class Place:
    """Where a value stands, and the key that opens it there."""

    context: Context
    key: PrivateKey


@dataclass(frozen=True)
class Attempt:
    """A text that is to be opened at a place; `payload` is what is in it where that is known."""

    text: Any
    place: Place
    payload: bytes | None = None


class World:
    """Keys, places, and a genuine value of some type at each of them."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        pairs = {
            (environment, epoch): PrivateKey(Secret(self._bytes(f"{environment} {epoch}")))
            for environment in ("demo", "prod")
            for epoch in (1, 2)
        }
        self.places = [
            Place(Context(project, environment, name, key.public, epoch), key)
            for project in ("shop", "shops")
            for (environment, epoch), key in pairs.items()
            for name in ("API_KEY", "API_KEYS", "DB")
        ]
        self.attacker = PrivateKey(Secret(self._bytes("attacker")))
        kinds = list(VALUES)
        self.payloads = [
            build(place.context, kinds[n % 4].encode(), VALUES[kinds[n % 4]])
            for n, place in enumerate(self.places)
        ]
        self.texts = [
            text_of(
                place.context.public_key,
                seal(payload, place.context.public_key, self._bytes(f"box {n}")),
            )
            for n, (place, payload) in enumerate(zip(self.places, self.payloads, strict=True))
        ]
        self.genuine = {
            (text, place.context) for text, place in zip(self.texts, self.places, strict=True)
        }
        self.keys = [place.key for place in self.places[:4]]
        bundles = [Bundle((one,)) for one in self.keys]
        bundles += [Bundle((self.keys[0], self.attacker)), Bundle((self.keys[0],), bytes(32), 7)]
        self.key_texts = [key.public.dump() for key in self.keys]
        self.key_texts += [str(key.dump().reveal()) for key in self.keys]
        self.key_texts += [str(bundle.dump().reveal()) for bundle in bundles]
        self.quiet = [CANARY, *(it[8:40] for it in self.key_texts if not it.startswith("lugpub"))]

    def _bytes(self, label: str) -> bytes:
        return hashlib.sha256(f"luggage tamper {self.seed} {label}".encode()).digest()


@cache
def world(seed: str) -> World:
    return World(seed)


def field(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def build(context: Context, kind: bytes, value: bytes) -> bytes:
    """The one right payload (docs/format.md §3.1), written anew here."""
    fields = (
        context.project.encode(),
        context.environment.encode(),
        context.name.encode(),
        context.public_key.raw,
        struct.pack(">Q", context.epoch),
        kind,
        value,
    )
    built = LABEL + b"".join(field(it) for it in fields)
    return built + bytes(-len(built) % 64)


def seal(payload: bytes, public: PublicKey, ephemeral: bytes) -> bytes:
    """As crypto_box_seal, with this ephemeral private key."""
    own = bindings.crypto_scalarmult_base(ephemeral)
    nonce = hashlib.blake2b(own + public.raw, digest_size=24).digest()
    return own + bindings.crypto_box(payload, nonce, public.raw, ephemeral)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(public: PublicKey, box: bytes) -> str:
    return f"lug1.{public.id}.{b64(box)}"


# What may be done to a text, a box or a payload


def mutate_text(chance: random.Random, text: str) -> str:
    at, to = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    some = "".join(chance.choice([*ALPHABET, *FOREIGN]) for _ in range(chance.randint(1, 4)))
    point = min(at, len(text) - 1)
    return chance.choice(
        [
            lambda: text[:at],
            lambda: text[at:],
            lambda: text[:at] + text[to:],
            lambda: text[:at] + some + text[at:],
            lambda: text[:at] + some + text[to:],
            lambda: text[:at] + text[at:to] * 2 + text[to:],
            lambda: text[:at] + text[at:to][::-1] + text[to:],
            lambda: text[:at] + text[at:to].swapcase() + text[to:],
            lambda: (
                text[:point] + chr(ord(text[point]) ^ 1 << chance.randrange(7)) + text[point + 1 :]
            ),
            lambda: text[to:] + text[at:to] + text[:at],
        ]
    )()


def mutate_bytes(chance: random.Random, data: bytes) -> bytes:
    at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    some = chance.randbytes(chance.randint(1, 64))
    point = min(at, len(data) - 1)
    word = chance.choice([0, 1, 5, 63, 64, 65, 2**16, 2**31, 2**32 - 1, chance.getrandbits(32)])
    return chance.choice(
        [
            lambda: data[:at],
            lambda: data[at:],
            lambda: data[:at] + data[to:],
            lambda: data[:at] + some + data[at:],
            lambda: data[:at] + some + data[at + len(some) :],
            lambda: data[:at] + data[at:to] * 2 + data[to:],
            lambda: (
                data[:point] + bytes([data[point] ^ 1 << chance.randrange(8)]) + data[point + 1 :]
            ),
            lambda: data[:point] + struct.pack(">I", word) + data[point + 4 :],
            lambda: data + bytes(chance.choice([1, 16, 63, 64, 128])),
            lambda: data.rstrip(b"\0"),
        ]
    )()


def characters(world: World, chance: random.Random) -> Attempt:
    """A text changed anywhere, up to three times."""
    at = chance.randrange(len(world.texts))
    text = world.texts[at]
    for _ in range(chance.randint(1, 3)):
        text = mutate_text(chance, text) if text else ""
    return Attempt(text, world.places[at])


def reencoded(world: World, chance: random.Random) -> Attempt:
    """The same bytes in another spelling."""
    at = chance.randrange(len(world.texts))
    text = world.texts[at]
    prefix, key_id, box = text.split(".")
    last = ALPHABET.index(box[-1])
    made: Any = chance.choice(
        [
            lambda: text + "=" * chance.randint(1, 3),
            lambda: text.replace("-", "+").replace("_", "/") + chance.choice(["", "="]),
            lambda: text[:-1] + ALPHABET[(last ^ chance.randint(1, 15)) % 64],
            lambda: text.replace(
                ".", chance.choice([":", "..", ". ", "\uff0e"]), chance.randint(1, 2)
            ),
            lambda: chance.choice([" ", "\n", "\ufeff", '"']) + text,
            lambda: text + chance.choice([" ", "\n", "\r\n", "\0", '"', "."]),
            lambda: (
                f"{chance.choice(['LUG1', 'lug01', 'lug2', 'Lug1', 'lug1 ', 'lug'])}.{key_id}.{box}"
            ),
            lambda: f"{prefix}.{key_id}.{unb64(box).hex()}",
            lambda: f"{prefix}.{key_id}." + base64.b32encode(unb64(box)).decode(),
            lambda: f"{prefix}.{unb64(key_id).hex()[:11]}.{box}",
            lambda: "\n".join(text[n : n + 64] for n in range(0, len(text), 64)),
            lambda: text.encode("utf-8"),
            lambda: chance.choice(
                [None, 1, 1.5, True, [text], {text: text}, (text,), bytearray(b"lug1.")]
            ),
            lambda: text * chance.randint(2, 400),
            lambda: CANARY,
        ]
    )()
    return Attempt(made, world.places[at])


def moved(world: World, chance: random.Random) -> Attempt:
    """A genuine text at another place, with the key of there, of here, or of the attacker."""
    at, to = chance.sample(range(len(world.places)), 2)
    key = chance.choice([world.places[at].key, world.places[to].key, world.attacker])
    return Attempt(world.texts[at], Place(world.places[to].context, key))


def relabelled(world: World, chance: random.Random) -> Attempt:
    """The box of one value under the key id of another, or opened with another private key."""
    at, to = chance.sample(range(len(world.places)), 2)
    public = world.places[to].context.public_key
    text = text_of(public, unb64(world.texts[at].split(".")[2]))
    place = world.places[chance.choice([at, to])]
    return Attempt(text, Place(place.context, chance.choice([place.key, world.attacker])))


def spliced(world: World, chance: random.Random) -> Attempt:
    """The start of one genuine text or box, and the end of another."""
    at, to = chance.sample(range(len(world.texts)), 2)
    one, two = world.texts[at], world.texts[to]
    if chance.random() < 0.5:
        cut = chance.randrange(1, min(len(one), len(two)))
        return Attempt(one[:cut] + two[cut:], world.places[chance.choice([at, to])])
    left, right = unb64(one.split(".")[2]), unb64(two.split(".")[2])
    cut = chance.choice([32, 48, chance.randrange(1, min(len(left), len(right)))])
    place = world.places[chance.choice([at, to])]
    return Attempt(text_of(place.context.public_key, left[:cut] + right[cut:]), place)


def boxes(world: World, chance: random.Random) -> Attempt:
    """The bytes of a box changed, in canonical base64."""
    at = chance.randrange(len(world.texts))
    box = mutate_bytes(chance, unb64(world.texts[at].split(".")[2]))
    return Attempt(text_of(world.places[at].context.public_key, box), world.places[at])


def payloads(world: World, chance: random.Random) -> Attempt:
    """A payload changed anywhere and sealed anew to the right key, as anyone can."""
    at = chance.randrange(len(world.payloads))
    payload = world.payloads[at]
    for _ in range(chance.randint(1, 2)):
        payload = mutate_bytes(chance, payload) if payload else b""
    if chance.random() < 0.7:
        payload += bytes(-len(payload) % 64)
    return _sealed(world.places[at], payload, chance)


def fields(world: World, chance: random.Random) -> Attempt:
    """Fields left out, doubled, swapped, lengthened or of another place, sealed anew."""
    at, other = chance.sample(range(len(world.places)), 2)
    place = world.places[at]
    parts = split(world.payloads[at])
    strange = split(world.payloads[other])
    n, m = chance.randrange(7), chance.randrange(7)
    chance.choice(
        [
            lambda: parts.pop(n),
            lambda: parts.insert(n, parts[m]),
            lambda: parts.__setitem__(slice(None), [*parts[:n], parts[m], *parts[n + 1 :]]),
            lambda: parts.__setitem__(n, strange[n]),
            lambda: parts.__setitem__(n, parts[n] + b"\0"),
            lambda: parts.__setitem__(n, parts[n][:-1]),
            lambda: parts.__setitem__(n, parts[n].swapcase()),
            lambda: parts.__setitem__(n, b""),
            lambda: parts.__setitem__(
                5, chance.choice([b"TEXT", b"yaml", b"text ", b"", b"bytes\0"])
            ),
            lambda: parts.__setitem__(6, bytes(chance.choice([65_536, 65_537, 70_000]))),
        ]
    )()
    label = chance.choice([LABEL] * 8 + [b"luggage-secret-v2\n", b"luggage-bundle-v1\n", b""])
    payload = label + b"".join(field(part) for part in parts)
    payload += bytes(-len(payload) % 64)
    if chance.random() < 0.1:
        payload = payload[: -chance.randint(1, 64)] + bytes(chance.choice([1, 64]))
    return _sealed(place, payload, chance)


def split(payload: bytes) -> list[bytes]:
    """The fields of a right payload."""
    rest, found = payload[len(LABEL) :], []
    for _ in range(7):
        size = int.from_bytes(rest[:4], "big")
        found.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    return found


def _sealed(place: Place, payload: bytes, chance: random.Random) -> Attempt:
    public = place.context.public_key
    box = seal(payload, public, chance.randbytes(32))
    return Attempt(text_of(public, box), place, payload)


# What luggage makes of it


def judge(world: World, attempt: Attempt) -> str:
    """A reason of a refusal, `genuine` or `fresh` for what is rightly opened, or a fault."""
    place = attempt.place
    try:
        envelope.unseal(attempt.text, place.key, place.context)
    except SecretError as error:
        return _refused(world, error)
    except Exception:
        return CRASH
    key_fits = place.key.public == place.context.public_key
    if (
        key_fits
        and isinstance(attempt.text, str)
        and (attempt.text, place.context) in world.genuine
    ):
        return GENUINE
    return FRESH if key_fits and _is_right(attempt.payload, place.context) else WRONG


def _is_right(payload: bytes | None, context: Context) -> bool:
    """Whether this is the one payload of some value at this place: anyone may seal that."""
    if payload is None:
        return False
    start = build(context, b"", b"")
    start = start[: start.index(context.public_key.raw) + 32 + 12]
    rest = payload[len(start) :]
    size = int.from_bytes(rest[:4], "big")
    kind, rest = rest[4 : 4 + size], rest[4 + size :]
    value = rest[4 : 4 + int.from_bytes(rest[:4], "big")]
    return (
        payload == build(context, kind, value)
        and kind.decode("latin-1") in types.NAMES
        and len(value) <= 65_536
    )


def _refused(world: World, error: SecretError) -> str:
    told = f"{error.render()} {error.args!r}"
    quiet = not any(word in told for word in world.quiet)
    chained = error.__cause__ is not None or error.__context__ is not None
    return error.reason if quiet and not chained else LEAK


def key_text(world: World, chance: random.Random) -> str:
    """A key or a bundle changed anywhere; some with a checksum that is right again."""
    at = chance.randrange(len(world.key_texts))
    text = world.key_texts[at]
    prefix = text[: text.index(".") + 1]
    again = chance.random() < 0.4
    if again:
        inside = mutate_bytes(chance, unb64(text[len(prefix) :])[:-4])
        if prefix == "lugpub1." and chance.random() < 0.3:
            inside = chance.choice(
                [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, (2**255 - 19).to_bytes(32, "little")]
            )
        digest = hashlib.blake2b(prefix.encode() + inside, digest_size=32).digest()
        changed = prefix + b64(inside + digest[:4])
    else:
        changed = mutate_text(chance, text)
    wanted = chance.choice(["public", "private"])
    try:
        if wanted == "public":
            found = keys.parse_public(changed).dump()
        else:
            bundle = keys.parse_keys(Secret(changed))
            short = bundle.keys[0].dump().reveal()
            found = bundle.dump().reveal() if changed.startswith("lugbundle1.") else short
    except SecretError as error:
        return _refused(world, error)
    except Exception:
        return CRASH
    if found != changed or not (again or changed in world.key_texts):
        return WRONG
    return FRESH if changed not in world.key_texts else GENUINE


def module(world: World, chance: random.Random) -> str:
    """A whole `Secrets` with one thing wrong in it, opened as a process does that starts."""
    project, epoch = "shop", 1
    mine = [
        (place, text)
        for place, text in zip(world.places, world.texts, strict=True)
        if (place.context.project, place.context.epoch) == (project, epoch)
    ]
    values: dict[str, dict[str, Any]] = {"demo": {}, "prod": {}}
    public: dict[str, Any] = {}
    for place, text in mine:
        values[place.context.environment][place.context.name] = text
        public[place.context.environment] = place.context.public_key.dump()
    key, epochs = mine[0][0].key, {"demo": 1, "prod": 1}
    demo, required = values["demo"], tuple(values["demo"])
    one, two = chance.sample(list(demo), 2)

    def swap() -> None:
        demo[one], demo[two] = demo[two], demo[one]

    def rename() -> None:
        demo["RENAMED"] = demo.pop(one)

    chance.choice(
        [
            swap,
            rename,
            lambda: demo.pop(one),
            lambda: demo.update({one: demo[two]}),
            lambda: demo.update({one: values["prod"][one]}),
            lambda: demo.update({one: chance.choice(world.texts[6:])}),
            lambda: demo.update({one: mutate_text(chance, demo[one])}),
            lambda: demo.update({one: chance.choice([None, 1, b"", CANARY, "", ["lug1."]])}),
            lambda: demo.update({chance.choice(["lower", "A B", "", "É", "A" * 64]): demo[one]}),
            lambda: epochs.update(demo=chance.choice([0, 2, 3, -1, 2**63, True, "1", 1.0])),
            lambda: public.update(
                demo=chance.choice([public["prod"], world.attacker.public.dump()])
            ),
            lambda: public.update(demo=mutate_text(chance, public["demo"])),
            lambda: public.update(demo=None),
        ]
    )()
    changed = project if chance.random() < 0.9 else chance.choice(["shops", "Shop", "", "sho"])
    same = changed == project and epochs == {"demo": 1, "prod": 1}
    whole = [
        demo.get(place.context.name) == text
        for place, text in mine
        if place.context.environment == "demo"
    ]
    try:
        environments = {
            name: Environment(public_key=public[name], epoch=epochs[name], values=values[name])
            for name in values
        }
        Secrets(format=1, project=changed, environments=environments, required=required).open_with(
            Bundle((key,))
        )
    except SecretError as error:
        return _refused(world, error)
    except Exception:
        return CRASH
    intact = same and all(whole) and len(demo) == 3 and public["demo"] == key.public.dump()
    return GENUINE if intact and type(epochs["demo"]) is int else WRONG


FAMILIES: dict[str, tuple[int, Callable[[World, random.Random], Attempt | str]]] = {
    "characters": (24, characters),
    "re-encoded": (10, reencoded),
    "moved": (10, moved),
    "relabelled": (8, relabelled),
    "spliced": (12, spliced),
    "box bytes": (12, boxes),
    "payload bytes, re-sealed": (10, payloads),
    "payload fields, re-sealed": (6, fields),
    "keys and bundles": (6, key_text),
    "whole modules": (2, module),
}


def systematic(world: World) -> Iterator[tuple[str, Callable[[], Attempt]]]:
    """Every bit, every cut, every insertion and every move of a few values, one after the other."""
    for at in range(4):
        place, text, payload = world.places[at], world.texts[at], world.payloads[at]
        public, box = place.context.public_key, unb64(text.split(".")[2])
        for n in range(len(text)):
            yield "every cut", lambda p=place, t=text[:n]: Attempt(t, p)
            for bit in range(7):
                new = text[:n] + chr(ord(text[n]) ^ 1 << bit) + text[n + 1 :]
                yield "every bit of a text", lambda p=place, t=new: Attempt(t, p)
            for letter in [*ALPHABET[::8], *FOREIGN]:
                new = text[:n] + letter + text[n:]
                yield "every insertion", lambda p=place, t=new: Attempt(t, p)
        for n in range(len(box) * 8):
            new_box = bytearray(box)
            new_box[n // 8] ^= 1 << n % 8
            yield (
                "every bit of a box",
                lambda p=place, b=bytes(new_box), k=public: Attempt(text_of(k, b), p),
            )
        for n in range(len(payload) * 8):
            new_payload = bytearray(payload)
            new_payload[n // 8] ^= 1 << n % 8
            yield (
                "every bit of a payload",
                lambda p=place, b=bytes(new_payload), n=n: _sealed(p, b, random.Random(n)),
            )
    for here in world.texts:
        for there in world.places:
            for key in {id(it): it for it in [*world.keys, there.key]}.values():
                yield "every move", lambda t=here, p=there, k=key: Attempt(t, Place(p.context, k))


@dataclass
class Found:
    """What came of some cases: (family, outcome) → how many, and the numbers of the faults."""

    counts: Counter[tuple[str, str]]
    faults: list[int]


def run(seed: str, cases: int, chunk: int, start: int) -> Found:
    """What comes of a chunk of the `cases`, from `start` on."""
    found = Found(Counter(), [])
    for number in range(start, min(start + chunk, cases)):
        name, outcome, _ = one(seed, cases, number)
        found.counts[name, outcome] += 1
        if outcome in FAULTS:
            found.faults.append(number)
    return found


def one(seed: str, cases: int, number: int) -> tuple[str, str, Attempt | None]:
    """Family, outcome and attempt of a case.

    The first half of `cases` are systematic ones, as far as there are any, in an order that the
    seed chooses: so a short run is a sample of the long one.
    """
    here = world(seed)
    if number < cases // 2 and number < len(_listed(seed)):
        name, make = _listed(seed)[number]
        attempt = make()
        return name, judge(here, attempt), attempt
    chance = random.Random(f"{seed} {number}")
    name = chance.choices(list(FAMILIES), [weight for weight, _ in FAMILIES.values()])[0]
    made = FAMILIES[name][1](here, chance)
    if isinstance(made, str):
        return name, made, None
    return name, judge(here, made), made


@cache
def _listed(seed: str) -> list[tuple[str, Callable[[], Attempt]]]:
    listed = list(systematic(world(seed)))
    random.Random(seed).shuffle(listed)
    return listed
