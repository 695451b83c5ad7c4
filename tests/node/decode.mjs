// A folder of vectors → what each one holds, a JSON line a file: docs/format.md in JavaScript.
//
// Written from docs/format.md alone, over libsodium's own wrappers; it shares no code with luggage.
// The config module's grammar (§4) is Python's own: tests/decoder.py is the second reader of that.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sodium from "libsodium-wrappers";

await sodium.ready;

class Refused extends Error {}

function check(condition, reason) {
  if (!condition) throw new Refused(reason);
}

const utf8 = new TextEncoder();

/** Strict: no byte order mark is taken off, and nothing is replaced. */
function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

function same(one, two) {
  return one.length === two.length && one.every((byte, at) => byte === two[at]);
}

function concat(...parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Big-endian, of any length: 64 bits do not fit a Number. */
function integer(bytes) {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

const blake = (bytes) => sodium.crypto_generichash(32, bytes);

// §1.1

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function base64(bytes) {
  return Buffer.from(bytes).toString("base64url");
}

function unbase64(coded) {
  check(/^[A-Za-z0-9_-]*$/.test(coded) && !coded.includes("\n") && coded.length % 4 !== 1, "shape");
  const bytes = new Uint8Array(Math.floor((coded.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const letter of coded) {
    bits = ((bits << 6) | ALPHABET.indexOf(letter)) & 0xfff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 0xff;
    }
  }
  check((bits & ((1 << held) - 1)) === 0, "shape");
  return bytes;
}

// §2

function checkVersion(coded) {
  const found = /^lug(?:pub|key|bundle)([0-9]+)\./.exec(coded);
  check(found === null || found[1] === "1", "version");
}

function keyBytes(coded, prefix) {
  checkVersion(coded);
  check(coded.startsWith(prefix) && coded.length === prefix.length + 48, "shape");
  const data = unbase64(coded.slice(prefix.length));
  const raw = data.slice(0, 32);
  check(same(blake(concat(utf8.encode(prefix), raw)).slice(0, 4), data.slice(32)), "checksum");
  return raw;
}

function publicKey(coded) {
  const raw = keyBytes(coded, "lugpub1.");
  check(integer(raw.slice().reverse()) < 2n ** 255n - 19n, "public-key");
  const one = new Uint8Array(32);
  one[0] = 1;
  let shared = new Uint8Array(32);
  try {
    shared = sodium.crypto_scalarmult(one, raw);
  } catch {
    // libsodium refuses to give 32 zero bytes
  }
  check(!same(shared, new Uint8Array(32)), "public-key");
  return raw;
}

const privateKey = (coded) => keyBytes(coded, "lugkey1.");
const publicOf = (secret) => sodium.crypto_scalarmult_base(secret);
const keyId = (raw) => base64(blake(raw).slice(0, 8));

function publicText(raw) {
  return `lugpub1.${base64(concat(raw, blake(concat(utf8.encode("lugpub1."), raw)).slice(0, 4)))}`;
}

// §3

class Reader {
  constructor(bytes) {
    this.rest = bytes;
  }

  take(size) {
    check(this.rest.length >= size, "payload");
    const taken = this.rest.slice(0, size);
    this.rest = this.rest.slice(size);
    return taken;
  }

  field() {
    return this.take(Number(integer(this.take(4))));
  }
}

function startsWith(bytes, start) {
  return same(bytes.slice(0, start.length), start);
}

function envelope(coded, asked) {
  const raw = publicKey(asked["public-key"]);
  check([...coded].length <= 90_000, "size");
  if (!coded.startsWith("lug1.")) {
    check(!/^lug[0-9]+\./.test(coded), "version");
    throw new Refused("plaintext");
  }
  const parts = coded.split(".");
  check(parts.length === 3 && parts[1].length === 11, "shape");
  unbase64(parts[1]);
  const box = unbase64(parts[2]);
  check(parts[1] === keyId(raw), "key-id");
  const secret = privateKey(asked.key);
  check(same(publicOf(secret), raw), "no-match");
  let payload;
  try {
    payload = sodium.crypto_box_seal_open(box, raw, secret);
  } catch {
    throw new Refused("box");
  }
  const label = utf8.encode("luggage-secret-v1\n");
  if (!startsWith(payload, label)) {
    check(!startsWith(payload, utf8.encode("luggage-secret-v")), "version");
    throw new Refused("payload");
  }
  const reader = new Reader(payload.slice(label.length));
  const found = Array.from({ length: 7 }, () => reader.field());
  check(found[6].length <= 65_536, "payload");
  const padding = reader.rest;
  check(payload.length % 64 === 0 && padding.length < 64, "payload");
  check(same(padding, new Uint8Array(padding.length)), "payload");
  const epoch = new Uint8Array(8);
  new DataView(epoch.buffer).setBigUint64(0, BigInt(asked.epoch));
  const wanted = [asked.project, asked.environment, asked.name].map((word) => utf8.encode(word));
  wanted.push(raw, epoch);
  check(wanted.every((bytes, at) => same(bytes, found[at])), "context");
  const type = ["text", "bytes", "json", "url"].find((it) => same(utf8.encode(it), found[5]));
  check(type !== undefined, "type");
  checkValue(type, found[6]);
  return { type, value: Buffer.from(found[6]).toString("hex") };
}

function checkValue(type, bytes) {
  if (type === "bytes") return;
  if (type === "url") {
    const url = String.fromCharCode(...bytes);
    check(/^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/.test(url) && !url.endsWith("\n"), "value");
    return;
  }
  let decoded;
  try {
    decoded = text(bytes);
  } catch {
    throw new Refused("value");
  }
  if (type === "json") new Json(decoded).whole();
}

/** RFC 8259 with the limits of §3.2. JSON.parse would keep the last of two members, and round. */
class Json {
  constructor(source) {
    this.source = source;
    this.at = 0;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source);
    if (found === null) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }

  need(pattern) {
    const found = this.match(pattern);
    check(found !== null, "value");
    return found;
  }

  space() {
    this.match(/[ \t\n\r]*/y);
  }

  whole() {
    this.value(0);
    check(this.at === this.source.length, "value");
  }

  value(depth) {
    this.space();
    if (this.match(/\{/y)) this.members(depth + 1);
    else if (this.match(/\[/y)) this.items(depth + 1);
    else if (this.source[this.at] === '"') this.string();
    else if (!this.match(/(?:true|false|null)/y)) this.number();
    this.space();
  }

  items(depth) {
    check(depth <= 64, "value");
    this.space();
    if (this.match(/\]/y)) return;
    do this.value(depth);
    while (this.match(/,/y));
    this.need(/\]/y);
  }

  members(depth) {
    check(depth <= 64, "value");
    const names = new Set();
    this.space();
    if (this.match(/\}/y)) return;
    do {
      this.space();
      const name = this.string();
      check(!names.has(name), "value");
      names.add(name);
      this.space();
      this.need(/:/y);
      this.value(depth);
    } while (this.match(/,/y));
    this.need(/\}/y);
  }

  string() {
    const raw = this.need(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/uy);
    const found = JSON.parse(raw);
    check(!/\p{Surrogate}/u.test(found), "value");
    return found;
  }

  number() {
    const found = this.need(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y);
    if (/^-?[0-9]+$/.test(found)) check(found.replace("-", "").length <= 300, "value");
    else check(Number.isFinite(Number(found)), "value");
  }
}

// §5

function bundle(coded) {
  check([...coded].length <= 4096, "size");
  checkVersion(coded);
  check(coded.startsWith("lugbundle1."), "shape");
  const data = unbase64(coded.slice(11));
  check(data.length >= 4, "checksum");
  const payload = data.slice(0, -4);
  const digest = blake(concat(utf8.encode("lugbundle1."), payload));
  check(same(digest.slice(0, 4), data.slice(-4)), "checksum");
  const label = utf8.encode("luggage-bundle-v1\n");
  if (!startsWith(payload, label)) {
    check(!startsWith(payload, utf8.encode("luggage-bundle-v")), "version");
    throw new Refused("payload");
  }
  const reader = new Reader(payload.slice(label.length));
  const found = { 1: [], 2: [], 3: [] };
  let last = 1;
  while (reader.rest.length > 0) {
    const tag = reader.take(1)[0];
    check(tag >= last && tag <= 3, "payload");
    last = tag;
    const value = reader.field();
    check(value.length === (tag === 3 ? 8 : 32), "payload");
    found[tag].push(value);
  }
  check(found[1].length >= 1 && found[1].length <= 8, "payload");
  check(found[2].length <= 1 && found[2].length === found[3].length, "payload");
  const keys = found[1].map(publicOf);
  for (let at = 1; at < keys.length; at++) {
    check(integer(keys[at - 1]) < integer(keys[at]), "payload");
  }
  const facts = { "public-key": keys.map(publicText).join(" ") };
  if (found[2].length === 1) {
    const serial = integer(found[3][0]);
    check(serial >= 1n && serial < 2n ** 63n, "payload");
    facts["verify-key"] = Buffer.from(found[2][0]).toString("hex");
    facts["minimum-serial"] = serial.toString();
  }
  return facts;
}

// §8

function read(bytes) {
  const end = bytes.indexOf("\n\n");
  const words = bytes.subarray(0, end).toString("latin1").split("\n");
  const head = Object.fromEntries(words.map((word) => word.split(/: (.*)/s).slice(0, 2)));
  return [head, bytes.subarray(end + 2)];
}

function facts(head, body) {
  const coded = text(body);
  if (head.kind === "envelope") return envelope(coded, head);
  if (head.kind === "bundle") return bundle(coded);
  const raw = head.wanted === "public" ? publicKey(coded) : publicOf(privateKey(coded));
  return { "public-key": publicText(raw), "key-id": keyId(raw) };
}

function outcome(head, body) {
  try {
    return { outcome: "success", ...facts(head, body) };
  } catch (error) {
    if (error instanceof Refused) return { outcome: error.message };
    throw error;
  }
}

const folder = process.argv[2];
for (const file of readdirSync(folder).sort()) {
  if (!file.endsWith(".txt")) continue;
  const [head, body] = read(readFileSync(join(folder, file)));
  if (!["config", "manifest"].includes(head.kind)) console.log(JSON.stringify({ file, ...outcome(head, body) }));
}
